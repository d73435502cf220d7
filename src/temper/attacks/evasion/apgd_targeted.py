"""Auto-PGD towards the likeliest other classes, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from temper.attacks.evasion._ascent import ascend
from temper.attacks.evasion._gradient import ground
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.slope import rivals


@dataclass(frozen=True, slots=True, kw_only=True)
class APGDTargeted:
    """Auto-PGD on the targeted difference of logits, once for each of the likeliest other classes; survivors go on.

    Misleads where gradients are hidden or random, and with fewer `targets` than a row has weak sides.
    Source: Croce & Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
    attacks", 2020.

    >>> APGDTargeted().targets
    9
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    mode: ClassVar[str] = "first"
    targets: int = 9
    steps: int = 100
    restarts: int = 1
    loss: str = "dlr"
    eot: int = 1

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """`targets` runs from fresh starts; a regression has two, up and down."""
        on = ground(oracle, scene, rng, loss=self.loss, eot=self.eot)
        rows = finished = on.open()
        order = rivals(oracle.clean, on.y, on.aim, self.targets)
        for restart in range(self.restarts):
            for place in range(order.shape[1]):
                way = replace(on, rival=order[:, place])
                finished = ascend(way, rows, self.steps, on.rng.child(f"{restart} {place}"))
                rows = finished[on.still(finished)]
        on.close(finished)


PLUGIN = APGDTargeted
