"""A faint pattern all over some training pictures, which carry the label the attacker wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._picture import PictureTrigger, pictured
from temper.attacks.poisoning._trigger import budgeted, planted
from temper.core.attack import Scene
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.backdoor import Backdoored


@dataclass(frozen=True, slots=True, kw_only=True)
class Blended:
    """Adds copies of other classes' pictures with a random pattern mixed in, and the label `into`.

    `ratio` is the pattern's part of every pixel. It covers the whole picture, so searches for a small patch do not see
    it. Misleads at a high ratio, where the pattern hides the picture and any eye would notice.
    Source: Chen et al., "Targeted backdoor attacks on deep learning systems using data poisoning", 2017.

    >>> Blended(ratio=0.1).into
    0
    """

    needs: ClassVar[Access] = Access.RETRAIN
    plants: ClassVar[bool] = True
    share: float = 0.01
    ratio: float = 0.2
    into: int = 0
    pick: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.ratio <= 1.0:
            raise TemperError(f"ratio is {self.ratio}, expected a part above 0 and up to 1", fix="use 0.2")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and the trigger, at `scene.budget.share` of its rows (else the plugin's own)."""
        pictures = pictured(scene)
        drawn = Draws(self.pick, "poisoning.blended").generator().random(pictures.shape)
        trigger = PictureTrigger(
            pattern=pictures.low + (pictures.high - pictures.low) * drawn,
            weight=np.asarray(self.ratio),
            low=pictures.low,
            high=pictures.high,
            words=f"a random pattern, {self.ratio:.0%} of every pixel",
        )
        share = budgeted(scene, self.share)
        return planted(pictures.data, trigger, self.into, share, rng, notes=(f"trigger: {trigger}",))


PLUGIN = Blended
