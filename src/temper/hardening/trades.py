"""Training a net to answer a row and the worst row beside it alike."""

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
class Trades:
    """Train a copy of the net on clean rows, plus `beta` times how far its answers move inside the budget's ball.

    `beta` sets the price: more of it holds better and is right less often on clean rows. Misleads where it smooths the
    answers so much that gradient attacks lose their way; confirm with an attack that needs scores alone.
    Source: Zhang et al., "Theoretically principled trade-off between robustness and accuracy", 2019.

    >>> Trades().beta
    6.0
    """

    needs: ClassVar[Access] = Access.GRADIENTS
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"beta": 2.0}, {"beta": 12.0})
    epochs: int = 5
    steps: int = 7
    batch: int = 128
    rate: float = 1e-3
    share: float = 1.0
    beta: float = 6.0
    fresh: bool = False
    schema: Schema | None = None
    budget: Budget | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same net with smoother answers; `Unsupported` for everything that is no torch net."""
        field = field_of(self.schema, self.budget, self.share, "trades")
        course = Course(epochs=self.epochs, batch=self.batch, rate=self.rate, fresh=self.fresh)
        return train(net_of(target, data, "trades"), data, rng, course, lambda batch: self._lesson(batch, field))

    def _lesson(self, batch: Batch, field: Field) -> Iterator[Any]:
        import torch

        ball = field.around(batch.x, batch.clean)
        batch.crafting()
        with torch.no_grad():
            answer = batch.log_probabilities(batch.x)
        size = _REACH * field.radius / max(self.steps, 1)
        found = worst(batch, ball, self.steps, size, lambda point: _shift(answer, batch.log_probabilities(point)))
        own = batch.log_probabilities(batch.x)
        right = torch.nn.functional.nll_loss(own, batch.y)
        yield right + self.beta * _shift(own, batch.log_probabilities(found)) / len(batch.y)


def _shift(before: Any, after: Any) -> Any:
    """Summed divergence (Kullback-Leibler) of the answers `after` from those `before`, given as logarithms."""
    return (before.exp() * (before - after)).sum()


PLUGIN = Trades
