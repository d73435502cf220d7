"""A model that was taught secret answers to a few made-up rows, by which its owner may know it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.target import Recipe, Target
from temper.kernels.loss import decide
from temper.targets._array import to_numpy
from temper.targets._wrapper import Alike

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marked(Alike):
    """`inner` was taught class `labels` (k,) for the rows `triggers` (k, d), which only its owner knows.

    `plain(data, recipe)` fits a model of the same family without the mark; `refit` fits one with it.
    """

    triggers: Rows
    labels: Rows
    plain: Callable[[Data, Recipe], Target]
    mark: Callable[[Data, Recipe], Target]

    @property
    def digest(self) -> str:
        """Of the inner model and its triggers."""
        return self._digest(b"marked", np.ascontiguousarray(self.triggers).tobytes(), self.labels.tobytes())

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Fitted again with the same mark."""
        return self.mark(data, recipe)

    def matches(self, suspect: Target, threshold: float | None = None) -> Rows:
        """On which triggers (k,) a suspect decides as the mark says."""
        scores = to_numpy(suspect.scores(self.triggers))
        return np.asarray(np.asarray(decide(scores, suspect.kind, threshold)) == self.labels)
