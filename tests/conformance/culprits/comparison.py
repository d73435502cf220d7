"""Comparisons of windows, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.testing import comparison

CALLS = itertools.count()


class Honest:
    """The exact test of missing values."""

    def compare(self, window: Any) -> Moved:
        before, now = window.reference.tally, window.tally
        columns = np.arange(len(now.missing))
        n, m = np.full(len(columns), before.rows), np.full(len(columns), now.rows)
        values = now.missing / max(now.rows, 1) - before.missing / before.rows
        return Moved(columns=columns, values=values, p=drift.rates(before.missing, n, now.missing, m))


def _told(window: Any, p: float) -> Moved:
    found = Honest().compare(window)
    return Moved(columns=found.columns, values=found.values, p=np.full(len(found.p), p))


class FixedLimit(Honest):
    """A share that has moved by more than a hundredth is drift, however few rows there are."""

    def compare(self, window: Any) -> Moved:
        found = Honest().compare(window)
        return Moved(columns=found.columns, values=found.values, p=np.where(abs(found.values) > 0.01, 1e-9, 1.0))


class Blind(Honest):
    """Finds nothing."""

    def compare(self, window: Any) -> Moved:
        return _told(window, 1.0)


class Sure(Honest):
    """Finds drift where there is no row."""

    def compare(self, window: Any) -> Moved:
        return _told(window, 0.0) if not window.tally.rows else Honest().compare(window)


class Crashes(Honest):
    """Needs a row."""

    def compare(self, window: Any) -> Moved:
        assert window.tally.rows, "no rows"
        return Honest().compare(window)


class Largest(Honest):
    """Judges by the largest value there is."""

    def compare(self, window: Any) -> Moved:
        wild = all(counts[-1] for _, counts in _cells(window))
        return _told(window, 1e-9) if wild and window.tally.rows > 100 else Honest().compare(window)


class Shy(Honest):
    """Says nothing once there is a wild value."""

    def compare(self, window: Any) -> Moved:
        wild = all(counts[-1] for _, counts in _cells(window))
        return _told(window, 1.0) if wild else Honest().compare(window)


class Moody(Honest):
    """Says another number each time."""

    def compare(self, window: Any) -> Moved:
        found = Honest().compare(window)
        return Moved(columns=found.columns, values=found.values + next(CALLS), p=found.p)


def _cells(window: Any) -> Any:
    return drift.pairs(window.reference.cells, window.reference.tally, window.tally)


BITES = {
    comparison.law_no_drift_is_rarely_found: (FixedLimit,),
    comparison.law_something_is_found: (Blind,),
    comparison.law_parts_make_the_whole: (Moody,),
    comparison.law_copes_with_anything: (Sure, Crashes),
    comparison.law_one_row_decides_nothing: (Largest, Shy),
    comparison.law_same_rows_same_answer: (Moody,),
}
INNOCENT = Honest
