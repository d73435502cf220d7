"""What windows are compared with: made once, from the rows a model was assessed on, and never drawn from again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.errors import ContractError
from temper.core.schema import Mutability, Schema
from temper.core.seed import Draws
from temper.kernels.cells import Cells, Tally, cells_of, single, tally, with_knots
from temper.monitoring.trail import Trail

Array = np.ndarray[Any, Any]
SAMPLE = 500
WIDTHS, SIDE = (0.004, 0.012), 9
"""Shares of the reference just below the threshold that are counted by themselves, beside sides so many times as wide:
a band is held against both, and the smaller they are the more of it is chance.
"""
_ORDER = Draws(0, "monitoring.sample")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Some rows (k, d) for what compares rows as wholes: those with the lowest numbers, which their ids decide, so that
    samples of parts make the same sample as all rows at once.
    """

    rows: Array
    numbers: Array

    @staticmethod
    def of(x: Array, ids: Array) -> Sample:
        """The sample of these rows."""
        return _lowest(single(x), _ORDER.uniform(ids, 0))

    def __add__(self, other: Sample) -> Sample:
        return _lowest(np.concatenate([self.rows, other.rows]), np.concatenate([self.numbers, other.numbers]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """The rows of an assessment as counts: `names` of the columns, the `cells` they are counted in, their `tally`, and
    a `sample`.

    Some rows were put aside before anybody looked which codes there are: `fresh` (d,) of them had one that no other
    row has. That is how common new codes are without any drift. `held_present` (d,) of them had a value.

    An attacker sets the columns `movable` (d,) and nothing moves those that are `fixed` (d,). `threshold` is what the
    last column, the score, is held against: what is at it or above is stopped. NaN: there is none.

    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(2_000, 3))
    >>> made = Reference.fit(rows, Schema())
    >>> made.tally.rows, len(made.cells), len(made.sample.rows)
    (2000, 3, 500)
    """

    names: tuple[str, ...]
    cells: Cells
    tally: Tally
    sample: Sample
    seen: Array
    fresh: Array
    held_present: Array
    movable: Array
    fixed: Array
    threshold: float

    @staticmethod
    def fit(
        x: Array, schema: Schema, names: Sequence[str] = (), ids: Array | None = None, threshold: float = np.nan
    ) -> Reference:
        """From rows (n, d); columns beyond the schema's, such as the score, are numbers."""
        n, d = x.shape
        if n < 2:
            raise ContractError(f"{n} rows are no reference", fix="give the rows the model was assessed on")
        category = np.zeros(d, dtype=bool)
        category[: len(schema.columns)] = schema.categorical
        called = (*schema.names, *names) if len(schema.names) + len(names) == d else tuple(f"x{at}" for at in range(d))
        ids = np.arange(n) if ids is None else ids
        cells = cells_of(x, category)
        if np.isfinite(threshold):
            cells = with_knots(cells, d - 1, _about(single(x[:, -1]), np.float32(threshold)))
        movable, fixed = np.zeros((2, d), dtype=bool)
        movable[schema.movable] = True
        fixed[: len(schema.columns)] = [one.attacker is Mutability.IMMUTABLE for one in schema.columns]
        first = _ORDER.uniform(ids, 1) < 0.5
        early, late = tally(cells, x[first]), tally(cells, x[~first])
        seen = early.counts > 0
        return Reference(
            names=called,
            cells=cells,
            tally=early + late,
            sample=Sample.of(x, ids),
            seen=seen,
            fresh=unseen(cells, seen, late),
            held_present=late.present,
            movable=movable,
            fixed=fixed,
            threshold=float(np.float32(threshold)),
        )

    @property
    def scored(self) -> bool:
        """Whether the last column is a score that is held against a threshold."""
        return bool(np.isfinite(self.threshold))

    def ranks(self, rows: Array) -> Array:
        """Rows (k, d) as their places in the reference, from -1 to 1, which no wild value leaves; a gap is at 0."""
        ranks = [self._rank(column, rows[:, column]) for column in range(len(self.cells))]
        return np.column_stack(ranks) if ranks else np.zeros((len(rows), 0))

    def _rank(self, column: int, values: Array) -> Array:
        counts = self.tally.counts[self.cells.places(column)]
        middle = (np.cumsum(counts) - counts / 2.0) / max(int(counts.sum()), 1)
        knots = self.cells.of(column)
        cell = np.searchsorted(knots, values, side="left") + np.searchsorted(knots, values, side="right")
        return np.where(np.isnan(values), 0.0, 2.0 * middle[np.minimum(cell, len(counts) - 1)] - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Rows of a while, as counts beside their reference. Windows of one reference add up, over nodes and over days.

    `trail` is what is kept of every row where scores are watched: whose it was, when, and its score. `events` are how
    often what is no row happened, where that is counted, and `before` the same of windows before it.
    """

    reference: Reference
    tally: Tally
    sample: Sample
    trail: Trail = field(default_factory=Trail.none)
    events: Mapping[str, int] = field(default_factory=dict)
    before: tuple[Mapping[str, int], ...] = ()

    @staticmethod
    def of(reference: Reference, x: Array, ids: Array, at: Array | None = None, clients: Array | None = None) -> Window:
        """The window of these rows; `ids` tell rows apart over all windows, `at` is when they came, `clients` whose
        they are.
        """
        follows = at is not None and reference.scored and (clients is not None or reference.fixed.any())
        trail = Trail.of(x, reference.fixed, at, clients) if follows and at is not None else Trail.none()
        return Window(reference=reference, tally=tally(reference.cells, x), sample=Sample.of(x, ids), trail=trail)

    def counted(self, events: Mapping[str, int], before: tuple[Mapping[str, int], ...]) -> Window:
        """The same with what happened besides."""
        return replace(self, events=events, before=before)

    def __add__(self, other: Window) -> Window:
        if self.reference is not other.reference:
            raise ContractError("windows of two references cannot be added", fix="count the rows again")
        return Window(
            reference=self.reference,
            tally=self.tally + other.tally,
            sample=self.sample + other.sample,
            trail=self.trail + other.trail,
            events={
                name: self.events.get(name, 0) + other.events.get(name, 0) for name in {**self.events, **other.events}
            },
            before=self.before or other.before,
        )


def unseen(cells: Cells, seen: Array, counted: Tally) -> Array:
    """How many values (d,) lie in cells of which `seen` is not true."""
    new = np.where(seen, 0, counted.counts)
    return np.array([new[cells.places(column)].sum() for column in range(len(cells))], dtype=np.int64)


def _lowest(rows: Array, numbers: Array) -> Sample:
    kept = np.argsort(numbers, kind="stable")[:SAMPLE]
    return Sample(rows=rows[kept], numbers=numbers[kept])


def _about(scores: Array, threshold: Any) -> Array:
    """Knots at the threshold, and where the bands beside it and their sides end."""
    below, above = np.sort(scores[scores < threshold])[::-1], np.sort(scores[scores >= threshold])
    many = [max(1, round(width * len(scores))) for width in WIDTHS]
    lower = [below[n - 1] for one in many for n in (one, (1 + SIDE) * one) if n <= len(below)]
    upper = [above[SIDE * one - 1] for one in many if SIDE * one <= len(above)]
    return np.array([threshold, *lower, *upper], dtype=np.float32)
