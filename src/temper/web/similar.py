"""Past cases that are like the one on the page: by the distance of their rows, or without any by why they came.

They are no sample: only what the guard left to people, and people decided, is among them, and whoever follows them
repeats their mistakes. So a page says how many were looked at and what became of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.review import Case, Ruling
from temper.kernels.gower import gower
from temper.report._inert import inert
from temper.web import sheet

SHOWN = 5
ROWS = 5
"""How many rows of a case are compared; more would make a page wait."""
FARTHEST = 0.25
WORDS = ((0.0, "the same values"), (0.03, "almost the same"), (0.1, "close"), (FARTHEST, "some way off"))
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One decided case beside this one, closed at `at`. `differs` names what differs most, `reasons` the stages both
    came from.
    """

    id: int
    outcome: str
    at: float
    near: str
    differs: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """The nearest of `looked` decided cases, of which `blocked` were blocked; `by` is what they were held against."""

    nearest: tuple[Past, ...]
    looked: int
    blocked: int
    by: str


def similar(case: Case, past: Sequence[Case]) -> Similar:
    """The decided cases among `past` that are nearest to this one, the nearest first."""
    blocked = sum(one.outcome is Ruling.BLOCK for one in past)
    rows = _rows(case)
    nearest = _by_rows(case, rows, past) if rows else _by_reasons(case, past)
    return Similar(nearest=nearest, looked=len(past), blocked=blocked, by="values" if rows else "reasons")


def _by_rows(case: Case, rows: list[Row], past: Sequence[Case]) -> tuple[Past, ...]:
    """By the smallest distance between a row of this case and a row of the other, of those with the same columns."""
    columns = sorted(rows[0])
    theirs = [(one, row) for one in past for row in _rows(one) if sorted(row) == columns]
    if not theirs:
        return ()
    span = np.array([_span(case.payload, name) for name in columns])
    codes: dict[str, float] = {}
    others = np.array([[_code(row[name], codes) for name in columns] for _, row in theirs])
    found: dict[int, tuple[float, Past]] = {}
    for row in (row for row in rows if sorted(row) == columns):
        apart = gower(np.array([_code(row[name], codes) for name in columns]), others, span)
        distances = apart.mean(axis=1)
        for at in np.argsort(distances, kind="stable")[: SHOWN * ROWS]:
            one, other = theirs[at]
            if distances[at] <= min(FARTHEST, found.get(one.id, (FARTHEST, None))[0]):
                differs = _differs(columns, apart[at], row, other)
                found[one.id] = float(distances[at]), _past(case, one, _near(float(distances[at])), differs)
    return tuple(one for _, one in sorted(found.values(), key=lambda pair: (pair[0], -pair[1].id))[:SHOWN])


def _by_reasons(case: Case, past: Sequence[Case]) -> tuple[Past, ...]:
    """By the share of stages that both came from: what is left where the values are gone."""
    mine = _stages(case)
    shares = [(len(mine & _stages(one)) / len(mine | _stages(one) or {""}), one) for one in past]
    best = sorted(((share, one) for share, one in shares if share > 0), key=lambda pair: (-pair[0], -pair[1].id))
    words = {True: "came for the same reasons", False: "came for some of the same reasons"}
    return tuple(_past(case, one, words[share == 1.0], ()) for share, one in best[:SHOWN])


def _past(case: Case, one: Case, near: str, differs: tuple[str, ...]) -> Past:
    return Past(
        id=one.id,
        outcome=one.outcome.value if one.outcome else "",
        at=one.closed or one.created,
        near=near,
        differs=differs,
        reasons=tuple(sorted(_stages(case) & _stages(one))),
    )


def _near(distance: float) -> str:
    """A distance in words.

    >>> _near(0.0), _near(0.02), _near(0.2)
    ('the same values', 'almost the same', 'some way off')
    """
    return next(word for most, word in WORDS if distance <= most)


def _differs(columns: list[str], apart: Any, here: Row, there: Row) -> tuple[str, ...]:
    order = [int(at) for at in np.argsort(-apart, kind="stable")[:3] if apart[at] > 0]
    return tuple(
        inert(f"{columns[at]} {sheet.shown(there[columns[at]])} instead of {sheet.shown(here[columns[at]])}", 120)
        for at in order
    )


def _stages(case: Case) -> set[str]:
    return {reason.partition(":")[0] for reason in sheet.reasons(case.payload)}


def _rows(case: Case) -> list[Row]:
    rows = case.payload.get("rows")
    return [row for row in rows[:ROWS] if isinstance(row, Mapping) and row] if isinstance(rows, list) else []


def _span(payload: Mapping[str, Any], name: str) -> float:
    """Where 98 in 100 reference rows lie; NaN for a word, and where nothing is known."""
    references = payload.get("reference")
    usual = references.get(name) if isinstance(references, Mapping) else None
    low, high = (sheet.number(usual.get(end)) if isinstance(usual, Mapping) else None for end in ("low", "high"))
    return float("nan") if low is None or high is None else high - low


def _code(value: Any, codes: dict[str, float]) -> float:
    """A number as it is, everything else as a number of its own that no client sends."""
    if value is None:
        return float("nan")
    number = sheet.number(value)
    return number if number is not None else codes.setdefault(repr(value), -1e300 - 1e290 * len(codes))
