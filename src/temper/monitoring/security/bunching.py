"""Scores that crowd just below the threshold: what evasion leaves behind where no column moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.shift import Shift
from temper.kernels.drift import excess
from temper.monitoring.reference import WIDTHS, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Bunching:
    """Whether scores just below the threshold outnumber their neighbours on both sides more than they used to.

    Just below, and beside it, lie 0.2, 1 and 3 % of the reference each. Scores that drift as wholes thin out on one
    side of the band what they add on the other; `tolerance` is how much of a bend is no alarm (odds; 1 is none). p is
    exact given the margins, times the number of widths. Misleads where analysts' rules make cases stop at the
    threshold, and where the model was recalibrated near it. Blind to attackers who go far below it.
    Source: Saez, "Do taxpayers bunch at kink points?", 2010 (excess mass beside its neighbours); Fisher, 1935.

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> scores = np.random.Generator(np.random.Philox(key=0)).beta(1, 9, size=(40_000, 1))
    >>> known = Reference.fit(scores[:20_000], Schema(), threshold=0.3)
    >>> pushed = scores[20_000:].copy()
    >>> pushed[:200] = 0.299
    >>> windows = [Window.of(known, rows, np.arange(20_000)) for rows in (scores[20_000:], pushed)]
    >>> [bool(Bunching().compare(window).p[0] < 1e-6) for window in windows]
    [False, True]
    """

    tolerance: float = 1.5

    def compare(self, window: Window) -> Shift:
        """How many times the rows below the threshold outnumber what their neighbours promise; the largest of all."""
        found = [one for one in (self._width(window, width) for width in WIDTHS) if one]
        if not found:
            return Shift(columns=np.zeros(0, np.int64), values=np.zeros(0), p=np.zeros(0))
        value, p = min(found, key=lambda one: one[1])
        column = np.array([len(window.reference.cells) - 1])
        return Shift(columns=column, values=np.array([value]), p=np.array([min(1.0, len(found) * p)]))

    def _width(self, window: Window, width: float) -> tuple[float, float] | None:
        """The excess and its p; None where there is no threshold with enough of the reference on its sides."""
        known = window.reference
        if not known.scored:
            return None
        column = len(known.cells) - 1
        knots, places = known.cells.of(column), known.cells.places(column)
        before, now = (np.append(0, np.cumsum(tally.counts[places])) for tally in (known.tally, window.tally))
        at = 2 * int(np.searchsorted(knots, np.float32(known.threshold))) + 1
        many = max(1, round(width * int(before[-1])))
        # Cells end where the reference was cut, so the sums below meet them exactly.
        low, lower = (int(np.searchsorted(before, before[at] - k * many, side="right")) - 1 for k in (1, 2))
        high = min(int(np.searchsorted(before, before[at] + many, side="left")), len(before) - 1)
        if before[at] < 2 * many or before[high] == before[at]:
            return None
        one, other = ((int(c[at] - c[low]), int(c[low] - c[lower] + c[high] - c[at])) for c in (before, now))
        return _ratio(one, other), excess(*one, *other, self.tolerance)


def _ratio(before: tuple[int, int], now: tuple[int, int]) -> float:
    """Half a row is added to every count, so that none is an infinity."""
    return (now[0] + 0.5) / (now[1] + 0.5) * (before[1] + 0.5) / (before[0] + 0.5)


PLUGIN = Bunching
