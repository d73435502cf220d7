"""Labels of one class quietly turned into another: fraud filed as genuine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._flip import dose, relabelled, training, victims
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFlipTargeted:
    """Relabels training rows of class `source` as class `into`, so that the model learns to let them pass.

    The share counts all training rows; at most `most` of the class is flipped, so that it can still be learnt. Misleads
    when AUC is read instead of recall: the order of scores barely moves while cases fall below the threshold.
    Source: Taheri et al., "On defending against label flipping attacks on malware detection systems", 2020.

    >>> data = Data(x=np.zeros((10, 1)), y=np.array([1] * 5 + [0] * 5))
    >>> from temper.core.schema import Schema
    >>> scene = Scene(x=data.x, y=data.y, ids=data.ids, schema=Schema(), train=data)
    >>> int(LabelFlipTargeted(share=0.3).run(None, scene, Draws(0, "x")).y.sum())
    2
    """

    needs: ClassVar[Access] = Access.RETRAIN
    share: float = 0.02
    source: int = 1
    into: int = 0
    most: float = 0.8

    def __post_init__(self) -> None:
        if self.source == self.into:
            raise TemperError(f"source and into are both class {self.source}", fix="give two different classes")
        if not 0.0 < self.most < 1.0:
            raise TemperError(f"most is {self.most}, expected a share between 0 and 1", fix="use 0.8")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Data:
        """The poisoned training data, at `scene.budget.share` of its rows (else the plugin's own share)."""
        data = training(scene)
        share = self.share if scene.budget.share is None else scene.budget.share
        eligible = np.flatnonzero(np.asarray(data.y) == self.source)
        wanted = min(dose(share, len(data)), int(self.most * len(eligible)))
        rows = victims(eligible, wanted, rng.generator(0))
        return relabelled(data, rows, np.full(len(rows), self.into))


PLUGIN = LabelFlipTargeted
