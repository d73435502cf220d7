"""A small network in NumPy that imitates labels: standardised inputs, one hidden layer, exact slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array

_BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """Logits (n, classes) of flat inputs; missing values read as the centre."""

    centre: Array
    spread: Array
    weights: tuple[Array, Array, Array, Array]

    def logits(self, x: Array) -> Array:
        """What it says."""
        first, bias, second, last = self.weights
        return np.tanh(self._scaled(x) @ first + bias) @ second + last

    def slope(self, x: Array, pull: Array) -> Array:
        """The derivative of <pull, logits> by the inputs."""
        first, bias, second, _ = self.weights
        hidden = np.tanh(self._scaled(x) @ first + bias)
        found: Array = ((pull @ second.T) * (1 - hidden * hidden)) @ first.T / self.spread
        return found

    def _scaled(self, x: Array) -> Array:
        return np.nan_to_num((x - self.centre) / self.spread, nan=0.0)


def fitted(x: Array, y: Array, classes: int, hidden: int, steps: int, numbers: np.random.Generator) -> Student:
    """Cross-entropy by Adam on batches; the same rows, labels and numbers give the same student."""
    centre, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    centre, spread = np.nan_to_num(centre), np.where(spread > 1e-9, spread, 1.0)
    wide = x.shape[1]
    weights = [
        numbers.normal(size=(wide, hidden)) / wide**0.5,
        np.zeros(hidden),
        numbers.normal(size=(hidden, classes)) / hidden**0.5,
        np.zeros(classes),
    ]
    scaled, truth = np.nan_to_num((x - centre) / spread, nan=0.0), np.eye(classes)[y]
    moments = [(np.zeros_like(part), np.zeros_like(part)) for part in weights]
    for step in range(1, steps + 1):
        rows = numbers.integers(len(x), size=_BATCH) if len(x) > _BATCH else slice(None)
        for at, slope in enumerate(_slopes(weights, scaled[rows], truth[rows])):
            mean, square = moments[at]
            mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope * slope
            moments[at] = mean, square
            rate = 0.03 * (1 - 0.9 * step / steps)
            weights[at] = weights[at] - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return Student(centre, spread, (weights[0], weights[1], weights[2], weights[3]))


def _slopes(weights: list[Any], x: Array, truth: Array) -> tuple[Array, ...]:
    first, bias, second, last = weights
    hidden = np.tanh(x @ first + bias)
    z = hidden @ second + last
    p = np.exp(z - z.max(axis=1, keepdims=True))
    gap = (p / p.sum(axis=1, keepdims=True) - truth) / len(x)
    inner = (gap @ second.T) * (1 - hidden * hidden)
    return x.T @ inner + 1e-4 * first, inner.sum(axis=0), hidden.T @ gap + 1e-4 * second, gap.sum(axis=0)
