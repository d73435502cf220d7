"""Membership where the model gives nothing but its decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.inversion._signals import even, gather, guesses
from temper.attacks.inversion._statistics import ratio
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.judges.advantage import Membership
from temper.kernels.loss import decide

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOnly:
    """How far a decision holds around a row: the share of its changed copies that are still given the row's own class,
    over the same share of reference models.

    A copy of a table row takes each value from another row with probability `share`; a copy of anything else gets
    Gaussian noise of `share` of its range. Rounded or hidden scores do not stop this attack; it costs `copies` queries
    a row, so at most `rows` members and as many others are judged. Misleads where classes are so rare or so far apart
    that every copy keeps its decision: then every row looks alike.
    Source: Choquette-Choo et al., "Label-only membership inference attacks", 2021.

    >>> LabelOnly(copies=10).copies
    10
    """

    needs: ClassVar[Access] = Access.LABELS | Access.RETRAIN
    references: int = 4
    copies: int = 24
    share: float = 0.15
    rows: int = 4_000

    def __post_init__(self) -> None:
        even(self.references)
        if self.copies < 1 or not 0 < self.share < 1 or self.rows < 2:
            raise TemperError(f"{self} cannot be meant", fix="copies from 1, share in (0, 1), rows from 2")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Membership:
        """Scores of a sample of training rows (members) and of the scene's own rows (others)."""
        noise = rng.child("copies")

        def ask(model: Target, data: Data, kind: ScoreKind) -> Vector:
            kept = np.zeros(len(data))
            for x in self._copies(scene, data, noise):
                kept += decide(np.asarray(model.scores(x)), kind, scene.threshold) == data.y
            return (kept + 0.5) / (self.copies + 2.0)

        return guesses(gather(scene, rng, self.references, ask, self.rows), ratio)

    def _copies(self, scene: Scene, data: Data, noise: Draws) -> Iterator[Vector]:
        """The rows themselves, then as they are changed."""
        yield data.x
        n, shape = len(data), data.x.shape[1:]
        rows = np.arange(n)
        span = 1.0 if scene.schema.columns else scene.schema.high - scene.schema.low
        for step in range(self.copies):
            if not scene.schema.columns:
                yield data.x + self.share * span * noise.normal(rows, step, shape)
                continue
            other = noise.integers(rows, 2 * step, n, shape)
            swapped = noise.uniform(rows, 2 * step + 1, shape) < self.share
            yield np.where(swapped, np.take_along_axis(data.x, other, axis=0), data.x)


PLUGIN = LabelOnly
