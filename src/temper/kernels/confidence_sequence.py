"""Means of numbers from 0 to 1 that are looked at again and again: counts that add up, ends that hold at every look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.errors import ContractError
from temper.kernels.clustered import anytime_mean

Array = np.ndarray[Any, Any]
_CELLS = 128
PLACES = np.sin(np.arange(_CELLS + 1) * np.pi / (2 * _CELLS)) ** 2
"""Where numbers are counted (129,): closer to each other towards 0 and 1, where rare events put their mean."""
_PARTS = 1 << 20


def _nothing() -> Array:
    return np.zeros(len(PLACES), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Numbers from 0 to 1 as `counts` (129,), in parts of a row: a number between two places counts at both, in
    inverse proportion to how far they are, so that the mean stays as it was.

    Sums are exact, in any order, over nodes and days. Bets on numbers so divided never win more than bets on the
    numbers themselves (the logarithm is concave), so the ends err on the safe side; at 0 and 1 nothing is divided.

    >>> both = Evidence.of([0.0, 1.0]) + Evidence.of([0.25])
    >>> both.n, round(both.mean, 7)
    (3, 0.4166667)
    """

    counts: Array = field(default_factory=_nothing)

    @staticmethod
    def of(values: Any) -> Evidence:
        """Raises `ContractError` where a number is not from 0 to 1."""
        x = np.asarray(values, dtype=np.float64).ravel()
        if not ((x >= 0.0) & (x <= 1.0)).all():
            raise ContractError("evidence is of numbers from 0 to 1", fix="divide by the largest there can be")
        below = np.clip(np.searchsorted(PLACES, x, side="right") - 1, 0, _CELLS - 1)
        share = np.rint(_PARTS * (x - PLACES[below]) / (PLACES[below + 1] - PLACES[below])).astype(np.int64)
        counts = _nothing()
        np.add.at(counts, below, _PARTS - share)
        np.add.at(counts, below + 1, share)
        return Evidence(counts=counts)

    @staticmethod
    def rate(events: int, n: int) -> Evidence:
        """Of n numbers, ones for `events` and noughts for the others."""
        counts = _nothing()
        counts[0], counts[-1] = (n - events) * _PARTS, events * _PARTS
        return Evidence(counts=counts)

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(counts=self.counts + other.counts)

    @property
    def n(self) -> int:
        """How many numbers."""
        return int(self.counts.sum()) // _PARTS

    @property
    def mean(self) -> float:
        """Their mean, NaN without any; a number is counted to the nearest hundred-millionth."""
        return float(PLACES @ self.counts) / _PARTS / self.n if self.n else float("nan")

    @property
    def weights(self) -> Array:
        """How many numbers are counted at each place (129,)."""
        return np.asarray(self.counts / _PARTS)

    def ends(self, confidence: float = 0.95) -> tuple[float, float]:
        """Where the mean lies, with this confidence at all looks together; (0, 1) without a number.

        That the mean is above a limit is wrongly said at half this rate even where it moves about, as long as it never
        is above it; and below likewise. So a contract needs no mean that stays.
        Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", 2024.

        >>> [round(end, 3) for end in Evidence.rate(90, 1_000).ends()]
        [0.06, 0.124]
        """
        _, low, high = anytime_mean(PLACES, self.weights, confidence)
        return low, high
