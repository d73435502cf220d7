"""Cases as they are read: what a viewer may see, the labels they become, and how far two people agreed."""

from __future__ import annotations

import math

from temper.core.errors import TemperError
from temper.core.review import Case, Label, Opinion, Role, Ruling, State
from temper.store.codec import from_json
from temper.store.control.database import Row, Transaction

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
    """The case of this row. Who decided what is shown to whoever has decided, and to all once nobody must be blind."""
    state = State(row["state"])
    given = opinions(tx, row["id"]) if row["round"] > 1 or state.final else []
    shown = state.final or state is State.ESCALATED or any(opinion.reviewer == viewer for opinion in given)
    return _case(row, given if shown else [])


def past(tx: Transaction, id: int, limit: int) -> list[Case]:
    """The latest closed cases but this one, without who decided what. Very large ones are passed over."""
    rows = tx.all(
        "SELECT * FROM (SELECT * FROM review WHERE state = 'closed' ORDER BY closed DESC, id DESC LIMIT ?) newest "
        "WHERE id <> ? AND length(payload) <= ? ORDER BY closed DESC, id DESC",
        *(limit, id, COMPARED),
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
        decisions=tuple(decisions),
        **kept,
    )


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


def labels(tx: Transaction) -> list[Label]:
    """One label for each case that people closed."""
    rows = tx.all(
        "SELECT request, payload, outcome, round, eyes, closed FROM review WHERE state = 'closed' ORDER BY closed, id"
    )
    return [
        Label(
            request=row["request"],
            payload=from_json(row["payload"]),
            verdict=Ruling(row["outcome"]),
            agreed=None if row["eyes"] == 1 else row["round"] == 2,
            at=row["closed"],
        )
        for row in rows
    ]


def pairs(tx: Transaction) -> list[Row]:
    """The first two answers, `one` and `two`, of every case that has them: the second person did not see the first."""
    return tx.all(
        "SELECT a.verdict AS one, b.verdict AS two FROM decision a JOIN decision b ON b.review = a.review "
        "WHERE a.round = 1 AND b.round = 2 ORDER BY a.review"
    )


def agreement(rows: list[Row]) -> tuple[float, float, float, int]:
    """Scott's pi of pairs of answers, with its 95 % bootstrap interval over cases, and how many there are.

    Who comes first is chance, so both orders count (Cohen's kappa over both is Scott's pi). NaN where everybody always
    gave one answer: then there is nothing beyond chance. Misleads below about 20 cases.
    Source: Scott, "Reliability of content analysis", 1955.

    >>> agreement([{"one": "allow", "two": "allow"}, {"one": "block", "two": "block"}])[0]
    1.0
    """
    import numpy as np

    from temper.core.seed import Draws
    from temper.kernels.bootstrap import interval
    from temper.kernels.ranking import kappa

    if not rows:
        return math.nan, math.nan, math.nan, 0
    one, two = (np.array([row[side] == Ruling.BLOCK for row in rows]) for side in ("one", "two"))
    value, low, high = interval(
        lambda a, b: kappa(np.concatenate((a, b)), np.concatenate((b, a))),
        one,
        two,
        rng=Draws(0, "store.agreement").generator(),
    )
    return value, low, high, len(rows)
