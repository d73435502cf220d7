"""Scores are moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifted:
    """The number `by` is added to every score, cut off at `low` and `high`, as by a calibration of another model.

    Misleads about small shifts: those that hardly change a decision are not found, and need not be.
    Source: Guo et al., "On calibration of modern neural networks", 2017.

    >>> Shifted(by=0.3).answer(np.array([0.5, 0.9]), np.empty(0), Draws(0, "x"))
    array([0.8, 1. ])
    """

    by: float = 0.2
    low: float = 0.0
    high: float = 1.0

    def answer(self, scores: Array, earlier: Array, rng: Draws) -> Array:
        """What is answered in place of these scores; `earlier` are the true ones of before, the latest last."""
        return np.clip(np.asarray(scores, dtype=float) + self.by, self.low, self.high)


PLUGIN = Shifted
