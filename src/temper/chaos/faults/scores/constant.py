"""Every score is the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Every score is `value`, as of a model that lost its features.

    Misleads where that is what most rows get anyway: then few answers change, and few detectors can tell.
    Source: Breck et al., "The ML test score", 2017 (a model that is stuck).

    >>> Constant(value=0.25).answer(np.array([0.5, 0.9]), np.empty(0), Draws(0, "x"))
    array([0.25, 0.25])
    """

    value: float = 0.5

    def answer(self, scores: Array, earlier: Array, rng: Draws) -> Array:
        """What is answered in place of these scores; `earlier` are the true ones of before, the latest last."""
        told: np.ndarray[Any, Any] = np.full(np.shape(scores), float(self.value))
        return told


PLUGIN = Constant
