"""Adversarial training of a net at the price of one or two passes per batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.hardening._ball import Ball, Field, field_of
from temper.hardening._training import Batch, Course, net_of, train
from temper.hardening._worst import worst

_REACH = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Fast:
    """Train a copy of the net on rows moved by one large step from a random start, in the budget's ball.

    With `replays` above 1 every batch is learned that often, and the pass that teaches also gives the next step, so
    that examples cost nothing ("free" training). Misleads at large radii: a net can learn to beat one step and fall to
    the second (catastrophic overfitting), so believe only an attack of many steps.
    Source: Wong, Rice & Kolter, "Fast is better than free: revisiting adversarial training", 2020; Shafahi et al.,
    "Adversarial training for free!", 2019.

    >>> Fast(replays=4).replays
    4
    """

    needs: ClassVar[Access] = Access.GRADIENTS
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"share": 0.5}, {"share": 1.5})
    epochs: int = 5
    replays: int = 1
    batch: int = 128
    rate: float = 1e-3
    share: float = 1.0
    fresh: bool = False
    schema: Schema | None = None
    budget: Budget | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same net with weights trained against the ball; `Unsupported` for everything that is no torch net."""
        field = field_of(self.schema, self.budget, self.share, "fast")
        course = Course(epochs=self.epochs, batch=self.batch, rate=self.rate, fresh=self.fresh)
        return train(net_of(target, data, "fast"), data, rng, course, lambda batch: self._lesson(batch, field))

    def _lesson(self, batch: Batch, field: Field) -> Iterator[Any]:
        ball = field.around(batch.x, batch.clean)
        if self.replays > 1:
            yield from self._replayed(batch, ball)
            return
        yield batch.loss(worst(batch, ball, 1, _REACH * field.radius, lambda point: batch.loss(point, "sum")))

    def _replayed(self, batch: Batch, ball: Ball) -> Iterator[Any]:
        batch.learning()
        point = ball.start(batch.numbers)
        for _ in range(self.replays):
            point.requires_grad_(True)
            yield batch.loss(point)
            point = ball.stepped(point.detach(), point.grad, ball.radius)


PLUGIN = Fast
