"""What became of predictions: labels that arrive late, joined on id, and counted once their row is old enough."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from temper.core.cost import CostMatrix
from temper.core.errors import ContractError
from temper.core.schema import Schema
from temper.kernels.cbpe import Calibrator

Array = np.ndarray[Any, Any]
NOT_KNOWN = -1
"""The class of a row without a label."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """Predictions of one while: by rising `ids` (n,), `x` (n, d), the `score` of class 1 (n,), which rows were
    `flagged`, when they were made (`at`, seconds), and their class `y`, which is `NOT_KNOWN` where no label has come.

    `calibrator` makes probabilities of scores; without one the scores are such.
    """

    ids: Array
    x: Array
    score: Array
    flagged: Array
    at: Array
    y: Array
    schema: Schema
    cost: CostMatrix | None = None
    calibrator: Calibrator | None = None

    def __post_init__(self) -> None:
        n = len(self.ids)
        if any(len(one) != n for one in (self.x, self.score, self.flagged, self.at, self.y)):
            raise ContractError(f"a cohort of {n} ids has columns of another length")
        if not np.isfinite(self.score).all():
            raise ContractError("a cohort has scores that are no numbers", fix="leave these rows out, and say so")
        if not np.isin(self.y, (0, 1, NOT_KNOWN)).all():
            raise ContractError("labels are classes 0 and 1", fix="name the class that is looked for")
        if (np.diff(self.ids) <= 0).any():
            raise ContractError("the ids of a cohort do not rise", fix="sort its rows, and take each once")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labelled(self) -> Array:
        """Which rows (n,) have a label."""
        return np.asarray(self.y != NOT_KNOWN)

    @property
    def probability(self) -> Array:
        """How likely each row (n,) is to be of class 1, once calibrated."""
        stated = self.calibrator(self.score) if self.calibrator else self.score
        return np.clip(stated, 0.0, 1.0)

    def take(self, rows: Array) -> Cohort:
        """Those rows alone."""
        arrays = ("ids", "x", "score", "flagged", "at", "y")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Labels as they came: the `ids` (m,) they speak of, the class `y` (m,) and when they were given (`at`, seconds;
    all the same where nobody knows).
    """

    ids: Array
    y: Array
    at: Array

    def take(self, rows: Array) -> Labels:
        """Those labels alone."""
        return Labels(ids=self.ids[rows], y=self.y[rows], at=self.at[rows])

    def __add__(self, other: Labels) -> Labels:
        return Labels(**{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What the joining of labels met, in rows and labels: `matured` rows, `labelled` of them, and rows that are still
    too `young`, for which no label counts.

    Labels may come `again`, be `changed` (the latest counts), be `contradicted` by one of the same time (none counts),
    belong to `strangers` (no such prediction), be given `ahead` of the clock (not counted yet) or `before` their
    prediction (counted: one of two clocks is wrong). `oldest` and `newest` are when matured rows were predicted.
    """

    matured: int
    labelled: int
    young: int
    again: int
    changed: int
    contradicted: int
    strangers: int
    ahead: int
    before: int
    oldest: float
    newest: float

    def told(self, now: float) -> tuple[str, ...]:
        """What a reader has to know about this evidence, its age first."""
        if not self.matured:
            return (f"no row is old enough yet; {self.young:,} are too young",)
        counts = {
            "are too young to count": self.young,
            "labels came again": self.again,
            "labels were changed, and the latest counts": self.changed,
            "labels contradict each other at the same time, and none counts": self.contradicted,
            "labels belong to no prediction": self.strangers,
            "labels are ahead of the clock, and do not count yet": self.ahead,
            "labels are older than their prediction: a clock is wrong": self.before,
        }
        age = f"the evidence is {_span(now - self.newest)} to {_span(now - self.oldest)} old"
        have = f"{self.labelled:,} of {self.matured:,} matured rows have a label"
        return (have, age, *(f"{many:,} {what}" for what, many in counts.items() if many))


def joined(rows: Cohort, labels: Labels, maturity: float, now: float) -> tuple[Cohort, Joined]:
    """The rows that are `maturity` seconds old, with the labels that have come for them until now.

    Early labels do not count: bad news often travels at another speed than good news. The order in which labels and
    rows lie in their files changes nothing.
    """
    mature = rows.at + maturity <= now
    ahead = labels.at > now
    ids, y, at, met = _latest(labels, ~ahead)
    place = np.minimum(np.searchsorted(rows.ids, ids), max(len(rows) - 1, 0))
    known = rows.ids[place] == ids if len(rows) else np.zeros(len(ids), dtype=bool)
    found = np.full(len(rows), NOT_KNOWN, dtype=np.int64)
    found[place[known]] = y[known]
    cohort = replace(rows, y=found).take(np.flatnonzero(mature))
    when = cohort.at if len(cohort) else np.array([np.nan])
    # Labels whose clock is not known are all given at minus infinity.
    early = np.isfinite(at[known]) & (at[known] < rows.at[place[known]])
    return cohort, Joined(
        matured=len(cohort),
        labelled=int(cohort.labelled.sum()),
        young=int((~mature).sum()),
        strangers=int((~known).sum()),
        ahead=int(ahead.sum()),
        before=int(early.sum()),
        oldest=float(when.min()),
        newest=float(when.max()),
        **met,
    )


def _latest(labels: Labels, counts: Array) -> tuple[Array, Array, Array, dict[str, int]]:
    """The latest label of each id (rising), of those that count; one that contradicts itself is `NOT_KNOWN`."""
    order = np.flatnonzero(counts)[np.lexsort((labels.y[counts], labels.at[counts], labels.ids[counts]))]
    ids, y, at = labels.ids[order], labels.y[order], labels.at[order]
    same_id, other, at_once = ids[1:] == ids[:-1], y[1:] != y[:-1], at[1:] == at[:-1]
    last = np.append(~same_id, True)[: len(ids)]
    # Where labels of one time begin: they lie by their class, so they agree where the first and the last of them do.
    begins = np.append(True, ~(same_id & at_once))[: len(ids)]
    first = np.maximum.accumulate(np.where(begins, np.arange(len(ids)), 0))
    unsure = (y[first] != y)[last]
    met = {
        "again": int((same_id & ~other).sum()),
        "changed": int((same_id & other & ~at_once).sum()),
        "contradicted": int((same_id & other & at_once).sum()),
    }
    return ids[last], np.where(unsure, NOT_KNOWN, y[last]), at[last], met


def _span(seconds: float) -> str:
    """A while, as a person says it."""
    for width, word in ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2.0 * width:
            return f"{seconds / width:.0f} {word}"
    return f"{seconds:.0f} seconds"
