"""One step along the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.evasion._gradient import ground
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.step import best_corner, steepest


@dataclass(frozen=True, slots=True, kw_only=True)
class FGSM:
    """Go the whole radius at once in the direction in which the loss rises most at the clean row.

    Misleads as a measure of robustness: models trained against it, or with bent gradients, withstand it alone.
    Source: Goodfellow, Shlens & Szegedy, "Explaining and harnessing adversarial examples", 2015.

    >>> FGSM().loss
    'ce'
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    mode: ClassVar[str] = "first"
    loss: str = "ce"
    eot: int = 1

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient and one candidate per row."""
        on = ground(oracle, scene, rng, loss=self.loss, eot=self.eot)
        rows = on.open()
        if not len(rows):
            return
        x0 = on.start(rows)
        _, slope = on.ask(x0, rows, on.rng, 0)
        low, high = scene.schema.low, scene.schema.high
        if on.norm == "l1":
            move = best_corner(slope, on.radius, x0 - low, high - x0)
        else:
            move = on.radius * steepest(slope, on.norm)
        x = on.inside(x0 + move, x0, on.radius)
        on.close(rows[on.tell(x, rows)])


PLUGIN = FGSM
