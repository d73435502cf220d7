"""Several stressors in turn on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.data import Array
from temper.core.seed import Draws


def together(stressors: Sequence[Any], x: Array, severity: int, rng: Draws) -> Array:
    """The rows under these stressors in turn, each with random numbers of its own."""
    out = x
    for at, stressor in enumerate(stressors):
        out = stressor.apply(out, severity, rng.child(f"{at} {type(stressor).__name__}"))
    return out
