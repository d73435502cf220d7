"""Random label noise, as a careless or hostile labelling source leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._flip import dose, relabelled, training, victims
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFlipRandom:
    """Gives a random share of the training rows another class, drawn evenly from the other classes.

    Misleads as a bound: it is the weakest poisoner there is, so little damage here says nothing about one who chooses
    rows. With a rare class nearly all flips fall on the common one, which raises false alarms rather than hiding cases.
    Source: Biggio, Nelson & Laskov, "Support vector machines under adversarial label noise", 2011.

    >>> data = Data(x=np.zeros((10, 1)), y=np.zeros(10, dtype=int))
    >>> from temper.core.schema import Schema
    >>> scene = Scene(x=data.x, y=data.y, ids=data.ids, schema=Schema(), train=data)
    >>> int(LabelFlipRandom(share=0.3).run(None, scene, Draws(0, "x")).y.sum())
    3
    """

    needs: ClassVar[Access] = Access.RETRAIN
    share: float = 0.02

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Data:
        """The poisoned training data, at `scene.budget.share` of its rows (else the plugin's own share)."""
        data = training(scene)
        share = self.share if scene.budget.share is None else scene.budget.share
        rows = victims(np.arange(len(data)), dose(share, len(data)), rng.generator(0))
        # Keyed by row, so a row flipped at a small dose gets the same label at a large one.
        shift = 1 + rng.integers(rows, 1, max(scene.classes - 1, 1)) if len(rows) else rows
        return relabelled(data, rows, (np.asarray(data.y)[rows] + shift) % max(scene.classes, 2))


PLUGIN = LabelFlipRandom
