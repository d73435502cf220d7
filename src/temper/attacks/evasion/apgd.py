"""Auto-PGD: gradient ascent with momentum that sets its own step size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.evasion._ascent import ascend
from temper.attacks.evasion._gradient import ground
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class APGD:
    """Gradient ascent with momentum; where a row's loss has risen too rarely by a checkpoint, its step is halved and it
    goes back to its best point. Restarts see survivors.

    Misleads where gradients are hidden or random (ask `square`, raise `eot`).
    Source: Croce & Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
    attacks", 2020; for l1 "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", 2021.

    >>> APGD(loss="dlr").steps
    100
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    mode: ClassVar[str] = "first"
    steps: int = 100
    restarts: int = 1
    loss: str = "ce"
    eot: int = 1

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient per open row and step, all rows together."""
        on = ground(oracle, scene, rng, loss=self.loss, eot=self.eot)
        rows, finished = on.open(), np.empty(0, dtype=np.int64)
        for restart in range(self.restarts):
            finished = ascend(on, rows, self.steps, on.rng.child(f"restart {restart}"))
            rows = finished[on.still(finished)]
        on.close(finished)


PLUGIN = APGD
