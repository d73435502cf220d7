"""Measurement noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import Feature, level, numbers, table
from temper.stress._strike import follow, normals


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Gaussian noise on every quantity, in the units of its own column.

    Severity 1-5: a standard deviation of 0.02, 0.05, 0.1, 0.2, 0.4 column scales (of the range, for inputs without
    columns). Whole numbers are rounded; a value within its range is clipped to it, as a sensor would clip.
    Misleads where errors are not small and independent: real sensors drift and fail, they do not only jitter.
    Source: Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions", 2019 (severities).

    >>> x = Noise().apply(np.zeros((2000, 1)), 5, Draws(0, "noise"))
    >>> round(float(x.std()), 1)
    0.4
    """

    sizes: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.4)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A noisy copy of `x`, same shape."""
        size = level(self.sizes, severity)
        if self.schema is not None and not self.schema.columns:
            return _in_box(x, size, self.schema, rng)
        out = table(x)
        found = numbers(self.schema, out, self.columns)
        for feature, drawn in zip(found, normals(rng, len(out), found), strict=True):
            out[:, feature.at[0]] = _noisy(out[:, feature.at[0]], feature, size * drawn)
        return follow(self.schema, out, x)


def _noisy(clean: Array, feature: Feature, drawn: Array) -> Array:
    column = feature.column
    moved = clean + column.scale * drawn
    if column.discrete:
        moved = np.where(clean == np.round(clean), np.round(moved), moved)
    if np.isfinite(column.low):
        moved = np.maximum(moved, np.fmin(column.low, clean))
    return np.minimum(moved, np.fmax(column.high, clean)) if np.isfinite(column.high) else moved


def _in_box(x: Array, size: float, schema: Schema, rng: Draws) -> Array:
    clean = np.asarray(x)
    span = schema.high - schema.low if np.isfinite(schema.high - schema.low) else 1.0
    noise = np.asarray(rng.normal(np.arange(len(clean)), 0, clean.shape[1:]))
    moved = np.clip(clean + size * span * noise, np.fmin(schema.low, clean), np.fmax(schema.high, clean))
    return moved.astype(clean.dtype if np.issubdtype(clean.dtype, np.floating) else np.float64)


PLUGIN = Noise
