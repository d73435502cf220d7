"""Scores are no numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import ConfigError
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class NotANumber:
    """Scores are `value`: nan, inf or -inf, as after a division by zero in a feature.

    Misleads about a service whose JSON has no such numbers: there the answer breaks while it is written.
    Source: IEEE 754; RFC 8259, section 6 (JSON has no NaN).

    >>> NotANumber().answer(np.array([0.5]), np.empty(0), Draws(0, "x"))
    array([nan])
    """

    value: str = "nan"

    def __post_init__(self) -> None:
        if self.value not in ("nan", "inf", "-inf"):
            raise ConfigError(f"{self.value!r} is a number, or none that is known", fix="nan, inf or -inf")

    def answer(self, scores: Array, earlier: Array, rng: Draws) -> Array:
        """What is answered in place of these scores; `earlier` are the true ones of before, the latest last."""
        told: np.ndarray[Any, Any] = np.full(np.shape(scores), float(self.value))
        return told


PLUGIN = NotANumber
