"""Recoloured images: light, contrast, a tone curve, hue and saturation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.evasion._images import refuse_other_than_pictures, search
from temper.attacks.evasion._nearest import Ground
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.tone import tinted, toned


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """Search one map of colours per image, the same for every pixel, for which it is judged wrongly: brightness,
    contrast and a tone curve of `knots`, and hue (radians) and saturation where there are three channels.

    Misleads under a radius: images outside the ball are never asked about, and most recoloured ones lie outside.
    Source: Laidlaw & Feizi, "Functional adversarial attacks", 2019; Hosseini & Poovendran, "Semantic adversarial
    examples", 2018.

    >>> Colour(hue=0.5).saturation
    0.5
    """

    needs: ClassVar[Access] = Access.SCORES
    mode: ClassVar[str] = "first"
    brightness: float = 0.2
    contrast: float = 0.3
    curve: float = 0.1
    hue: float = 0.5
    saturation: float = 0.5
    knots: int = 9
    tries: int = 500
    at_once: int = 4

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """`at_once` proposals per open row and step."""
        ground = Ground.of(scene, "evasion.colour", fix="use evasion.random_search")
        refuse_other_than_pictures(scene, "evasion.colour")

        def make(x0: Array, settings: Array) -> Array:
            x = x0
            if x0.shape[1] == 3:
                x = tinted(x, self.hue * settings[:, 2], self.saturation * settings[:, 3])
            brightness, contrast = self.brightness * settings[:, 0], self.contrast * settings[:, 1]
            return toned(x, ground.low, ground.high, brightness, contrast, self.curve * settings[:, 4:])

        search(oracle, ground, rng, make, 4 + self.knots, self.tries, self.at_once)


PLUGIN = Colour
