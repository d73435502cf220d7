"""Two models on the same rows, looked at again and again while labels come: which one loses less."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from temper.core.errors import ContractError
from temper.kernels.clustered import clusters_needed
from temper.kernels.confidence_sequence import PLACES, Evidence

_EQUAL = 1e-6
"""A mean difference that is none: numbers are counted to the nearest hundred-millionth."""


class Winner(StrEnum):
    """What the rows say so far."""

    CHALLENGER = "CHALLENGER BETTER"
    CHAMPION = "CHAMPION BETTER"
    NOBODY = "UNDECIDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The loss of the challenger minus that of the champion, per row: its mean over those of `n` rows whose loss is
    known, and where it lies at all looks together. `needed` rows in all would decide if they went on like these: None
    where it is decided, or where no number would.
    """

    n: int
    mean: float
    low: float
    high: float
    needed: int | None

    @property
    def winner(self) -> Winner:
        """Whose loss is smaller, beyond chance."""
        return Winner.CHALLENGER if self.high < 0 else Winner.CHAMPION if self.low > 0 else Winner.NOBODY


def contest(champion: Any, challenger: Any, unknown: int = 0, confidence: float = 0.95) -> Contest:
    """Losses from 0 to 1 of both on the same rows (n,); of `unknown` rows more only that they differ is known, and each
    end counts them at their worst.

    That the worse one is called better happens at half the rate of 1 - confidence, however often one looks, even where
    the difference moves about as long as it keeps its sign. Rows on which both lose alike cost little: the bets are on
    differences. Misleads where rows come in clusters, and where the rows with labels are no sample of the others.
    Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", 2024.

    >>> wrong = np.repeat([1.0, 0.0], [60, 940])
    >>> contest(wrong, np.zeros(1_000)).winner, contest(wrong, wrong).winner
    (<Winner.CHALLENGER: 'CHALLENGER BETTER'>, <Winner.NOBODY: 'UNDECIDED'>)
    """
    first, second = np.asarray(champion, dtype=float), np.asarray(challenger, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise ContractError(f"two models lose on the same rows, and these are {first.shape} and {second.shape}")
    seen = Evidence.of((1.0 + second - first) / 2.0)
    low = (seen + Evidence.rate(0, unknown)).ends(confidence)[0]
    high = (seen + Evidence.rate(unknown, unknown)).ends(confidence)[1]
    low, high, mean = 2.0 * low - 1.0, 2.0 * high - 1.0, 2.0 * seen.mean - 1.0
    needed = None
    if low <= 0.0 <= high and not unknown and abs(mean) > _EQUAL:
        needed = clusters_needed(PLACES, seen.weights, 0.5, (1.0 + confidence) / 2.0, anytime=True)
    # Without a row there is no mean, and it may lie anywhere.
    return Contest(n=seen.n + unknown, mean=mean, low=low, high=high, needed=needed)
