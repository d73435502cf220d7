"""Cases as they are read: what a viewer may see, and the labels they become."""

from __future__ import annotations

import math

from temper.core.errors import TemperError
from temper.core.review import Case, Label, Opinion, Role, Ruling, State
from temper.store.codec import from_json
from temper.store.control import audit
from temper.store.control.database import Row, Transaction

REAL = "id NOT IN (SELECT review FROM exercise)"
"""Of a client, and not there to measure reviewers."""
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


def _case(row: Row, decisions: list[Opinion]) -> Case:
    kept = {name: row[name] for name in ("id", "request", "priority", "eyes", "round", "owner", "lease", "version")}
    return Case(
        payload=from_json(row["payload"]),
        state=State(row["state"]),
        due=None if math.isinf(row["due"]) else row["due"],
        level=Role(row["level"]),
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
