"""Cases as they are read: what a viewer may see, and the labels they become."""

from __future__ import annotations

import math

from temper.core.errors import TemperError
from temper.core.review import DESK, Case, Label, Opinion, Role, Ruling, State
from temper.store.codec import from_json
from temper.store.control import audit
from temper.store.control.database import Row, Transaction

REAL = "id NOT IN (SELECT review FROM exercise)"
"""Of a client, and not there to measure reviewers."""
DUE = 86_400.0
"""Seconds that people have where nobody says how long: a case that nobody may take must not wait for ever."""
ERASED = '{"erased":true}'
"""The payload of a case whose rows were erased: the only one that the tables take for a case that is closed."""
_WHEN = " ".join(f"WHEN '{role.value}' THEN {at}" for at, role in enumerate(DESK, 1))
_SENIORITY = f"CASE p.role {_WHEN} ELSE 0 END"
_STUCK = (
    "SELECT r.id FROM review r WHERE r.state NOT IN ('closed', 'expired') "
    "AND r.id NOT IN (SELECT review FROM exercise) AND NOT EXISTS "
    f"(SELECT 1 FROM person p WHERE p.disabled = 0 AND {_SENIORITY} >= r.level AND NOT EXISTS "
    "(SELECT 1 FROM decision d WHERE d.review = r.id AND d.reviewer = p.name))"
)
_AGAIN = "SELECT e.origin FROM exercise e JOIN review n ON n.id = e.review WHERE n.closed IS NULL"
COMPARED = 65_536
"""Characters of a payload above which a past case is not read: a page must not wait for it."""


def row(tx: Transaction, id: int) -> Row:
    """The row of a case; raises `TemperError` where there is none."""
    found = tx.one("SELECT * FROM review WHERE id = ?", id)
    if found is None:
        raise TemperError(f"there is no case {id}", fix="`temper reviews list` shows which there are")
    return found


def read(tx: Transaction, id: int, viewer: str | None) -> Case:
    """A case as `viewer` may see it."""
    return seen(tx, row(tx, id), viewer)


def seen(tx: Transaction, row: Row, viewer: str | None) -> Case:
    """The case of this row. Who decided what is shown to whoever has decided, and to all once nobody must be blind:
    not before, and not while a closed case waits for somebody to look at it again.
    """
    state = State(row["state"])
    given = opinions(tx, row["id"]) if row["round"] > 1 or state.final else []
    if any(opinion.reviewer == viewer for opinion in given):
        return _case(row, given)
    if state is State.CLOSED and tx.one(f"{_AGAIN} AND e.origin = ?", row["id"]):
        return _case(row | {"outcome": None}, [])
    return _case(row, given if state.final or state is State.ESCALATED else [])


def past(tx: Transaction, id: int, limit: int) -> list[Case]:
    """The latest closed cases but this one, without who decided what. Very large ones are passed over, and so are those
    that measure reviewers, or wait for a second look, or that this one is a second look at.
    """
    rows = tx.all(
        "SELECT * FROM (SELECT * FROM review WHERE state = 'closed' ORDER BY closed DESC, id DESC LIMIT ?) newest "
        f"WHERE id <> ? AND length(payload) <= ? AND {REAL} AND id NOT IN ({_AGAIN} AND e.origin IS NOT NULL) "
        "AND id NOT IN (SELECT origin FROM exercise WHERE review = ? AND origin IS NOT NULL) "
        "ORDER BY closed DESC, id DESC",
        *(limit, id, COMPARED, id),
    )
    return [_case(row, []) for row in rows]


def erase(tx: Transaction, request: str, by: str, now: float) -> bool:
    """Let go of what the client sent in the case of this record, whatever state it is in, and in those that are second
    looks at it. Who decided, what and when stays. Whether there is such a case.
    """
    again = "id IN (SELECT review FROM exercise WHERE origin = (SELECT id FROM review WHERE request = ?))"
    found = tx.all(f"SELECT id FROM review WHERE payload <> ? AND (request = ? OR {again})", ERASED, request, request)
    for number in sorted(row["id"] for row in found):
        tx.all("UPDATE review SET payload = ? WHERE id = ?", ERASED, number)
        audit.write(tx, now, by, "review.erase", str(number))
    return tx.one("SELECT 1 AS found FROM review WHERE request = ?", request) is not None


def stuck(tx: Transaction) -> frozenset[int]:
    """Cases of clients that wait for people who are not there: all who may decide have answered, or are disabled."""
    return frozenset(row["id"] for row in tx.all(_STUCK))


def level(row: Row) -> Role:
    """The junior role that may decide the case of this row."""
    return DESK[row["level"] - 1]


def _case(row: Row, decisions: list[Opinion]) -> Case:
    kept = {name: row[name] for name in ("id", "request", "priority", "eyes", "round", "owner", "lease", "version")}
    return Case(
        payload=from_json(row["payload"]),
        state=State(row["state"]),
        due=None if math.isinf(row["due"]) else row["due"],
        level=level(row),
        created=row["created"],
        outcome=Ruling(row["outcome"]) if row["outcome"] else None,
        closed=row["closed"],
        overdue=Ruling(row["overdue"]),
        decisions=tuple(decisions),
        **kept,
    )


def let_go(tx: Transaction, name: str, by: str, now: float) -> None:
    """Put back, undecided, every case that somebody holds."""
    rows = tx.all(
        "UPDATE review SET owner = NULL, lease = 0, version = version + 1, "
        "state = CASE state WHEN 'claimed' THEN 'open' ELSE state END WHERE owner = ? AND closed IS NULL RETURNING id",
        name,
    )
    for number in sorted(row["id"] for row in rows):
        audit.write(tx, now, by, "review.release", str(number), held=name)


def opinions(tx: Transaction, id: int) -> list[Opinion]:
    """Every decision on a case, in its order."""
    return [
        Opinion(
            review=row["review"],
            round=row["round"],
            reviewer=row["reviewer"],
            verdict=Ruling(row["verdict"]),
            reason=row["reason"],
            at=row["at"],
            seen=row["seen"],
        )
        for row in tx.all("SELECT * FROM decision WHERE review = ? ORDER BY round", id)
    ]


def label(row: Row) -> Label:
    """What people found about the request of this closed case."""
    return Label(
        request=row["request"],
        payload=from_json(row["payload"]),
        verdict=Ruling(row["outcome"]),
        agreed=None if row["eyes"] == 1 else row["round"] == 2,
        at=row["closed"],
    )
