"""Scores that crowd just below the threshold: what evasion leaves behind where no column moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import Moved
from temper.kernels.drift import excess
from temper.monitoring.crowd import Counts, near
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Bunching:
    """Whether scores just below the threshold outnumber, more than they used to, both those below and those above them.

    The band holds 0.4 or 1.2 % of the reference, and up to nine times as many lie on either side. However risk has
    risen or fallen, one of the sides has grown as much as the band: so p, the larger of two exact ones times the number
    of bands, holds for every change that is monotone in the score. `tolerance` is a bend that is no alarm (odds; 1:
    none).
    Misleads where people's rules make cases stop at the threshold, and where a model was recalibrated near it. Blind to
    attackers who go far below it, or who are fewer than chance brings there.
    Source: Saez, "Do taxpayers bunch at kink points?", 2010; Fisher, 1935; Berger, "Multiparameter hypothesis testing
    and acceptance sampling", 1982 (the larger p).

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

    tolerance: float = 1.1

    def compare(self, window: Window) -> Moved:
        """How many times the band outnumbers what the side that grew more promises."""
        known = window.reference
        found = [self._told(*counts) for counts in near(window)]
        if not found:
            return Moved(columns=np.zeros(0, np.int64), values=np.zeros(0), p=np.zeros(0))
        value, p = min(found, key=lambda one: one[1])
        column = np.array([len(known.cells) - 1])
        return Moved(columns=column, values=np.array([value]), p=np.array([min(1.0, len(found) * p)]))

    def _told(self, before: Counts, now: Counts) -> tuple[float, float]:
        """The excess of the band (the middle one of three), and its p; half a row is added where they are divided."""
        odds = [(now[1] + 0.5) / (now[at] + 0.5) * (before[at] + 0.5) / (before[1] + 0.5) for at in (0, 2)]
        return min(odds), max(excess(before[1], before[at], now[1], now[at], self.tolerance) for at in (0, 2))


PLUGIN = Bunching
