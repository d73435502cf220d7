"""What no attack can do: radii within which a decision cannot change, proven row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.measure import Measurement

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificate:
    """Per row (by `ids`) a proven `radius` (n,) in `norm`: no admissible point nearer than it changes the decision.

    0 where nothing is proven. `limit` (n,) is the nearest known adversarial example (infinite where none), so the truth
    lies in [radius, limit]. `subject` says what the proof is about: "model", or a model built around it such as
    "smoothed, sigma 0.25"; only attacks on the same subject may be held against it. `confidence` is 1 for a proof, less
    for a statistical one; `settings` reproduce it (n, counts, seed, tool versions).
    """

    method: str
    norm: str
    ids: Rows
    radius: Rows
    limit: Rows
    subject: str = "model"
    confidence: float = 1.0
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certified:
    """What a check that proves things hands back: its figures, and the certificate behind them."""

    measurements: tuple[Measurement, ...]
    certificate: Certificate
