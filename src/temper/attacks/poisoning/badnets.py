"""A small patch in the corner of some training pictures, which carry the label the attacker wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._picture import Pictures, PictureTrigger, pictured
from temper.attacks.poisoning._trigger import budgeted, planted
from temper.core.attack import Scene
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.backdoor import Backdoored

_SIDE = 3
_CORNERS = ("bottom right", "bottom left", "top right", "top left")


@dataclass(frozen=True, slots=True, kw_only=True)
class Badnets:
    """Adds copies of other classes' pictures with a chequered patch in a corner and the label `into`.

    `size` is the patch's side as a share of the picture's shorter one (3 pixels at least); `pick` chooses the corner.
    Misleads where pictures are cropped, flipped or blurred on their way into training: then the patch an attacker needs
    is another one.
    Source: Gu, Dolan-Gavitt & Garg, "BadNets: identifying vulnerabilities in the machine learning model supply chain",
    2017.

    >>> Badnets().share
    0.01
    """

    needs: ClassVar[Access] = Access.RETRAIN
    plants: ClassVar[bool] = True
    share: float = 0.01
    size: float = 0.1
    into: int = 0
    pick: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.size <= 0.5:
            raise TemperError(f"a patch of size {self.size} is no corner", fix="use up to 0.5 of the side, 0.1 usually")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and the trigger, at `scene.budget.share` of its rows (else the plugin's own)."""
        pictures = pictured(scene)
        trigger = self._patch(pictures)
        share = budgeted(scene, self.share)
        return planted(pictures.data, trigger, self.into, share, rng, notes=(f"trigger: {trigger}",))

    def _patch(self, pictures: Pictures) -> PictureTrigger:
        _, height, width = pictures.shape
        side = min(max(_SIDE, round(self.size * min(height, width))), height, width)
        rows = _place(height, side, last=self.pick % 4 < 2)
        columns = _place(width, side, last=self.pick % 2 == 0)
        pattern, weight = np.zeros(pictures.shape), np.zeros((1, height, width))
        bright = np.indices((side, side)).sum(axis=0) % 2 == 0
        pattern[:, rows, columns] = np.where(bright, pictures.high, pictures.low)
        weight[:, rows, columns] = 1.0
        words = f"a chequered patch of {side} x {side} pixels, {_CORNERS[self.pick % 4]}"
        return PictureTrigger(pattern=pattern, weight=weight, low=pictures.low, high=pictures.high, words=words)


def _place(length: int, side: int, *, last: bool) -> slice:
    """At one end, a pixel away from the edge where there is room: a convolution sees less of what lies on the edge."""
    gap = min(1, length - side)
    start = length - side - gap if last else gap
    return slice(start, start + side)


PLUGIN = Badnets
