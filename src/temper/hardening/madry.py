"""Training a net on the worst rows that projected gradient ascent finds around its training rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.hardening._ball import Field, field_of
from temper.hardening._training import Batch, Course, net_of, train
from temper.hardening._worst import worst

_REACH = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Madry:
    """Train a copy of the net on what `steps` of projected gradient ascent make of every batch, in the budget's ball.

    Every epoch costs `steps` + 1 passes and some clean accuracy. Misleads beyond its ball: a net trained in one norm
    and radius promises little in another. `share` is the share of the radius to train at, `clean` the
    weight of clean rows.
    Source: Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018.

    >>> Madry(steps=10).epochs
    5
    """

    needs: ClassVar[Access] = Access.GRADIENTS
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"share": 0.5}, {"share": 1.5})
    epochs: int = 5
    steps: int = 7
    batch: int = 128
    rate: float = 1e-3
    share: float = 1.0
    clean: float = 0.0
    fresh: bool = False
    schema: Schema | None = None
    budget: Budget | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same net with weights trained against the ball; `Unsupported` for everything that is no torch net."""
        field = field_of(self.schema, self.budget, self.share, "madry")
        course = Course(epochs=self.epochs, batch=self.batch, rate=self.rate, fresh=self.fresh)
        return train(net_of(target, data, "madry"), data, rng, course, lambda batch: self._lesson(batch, field))

    def _lesson(self, batch: Batch, field: Field) -> Iterator[Any]:
        ball = field.around(batch.x, batch.clean)
        size = _REACH * field.radius / max(self.steps, 1)
        found = worst(batch, ball, self.steps, size, lambda point: batch.loss(point, "sum"))
        loss = batch.loss(found)
        yield loss if not self.clean else (1.0 - self.clean) * loss + self.clean * batch.loss(batch.x)


PLUGIN = Madry
