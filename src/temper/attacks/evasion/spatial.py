"""Turned, scaled and shifted images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.evasion._images import refuse_other_than_pictures, search
from temper.attacks.evasion._nearest import Ground
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.warp import Warp


@dataclass(frozen=True, slots=True, kw_only=True)
class Spatial:
    """Search rotations (degrees), shifts and scalings (shares of the image) for one that is judged wrongly.

    Misleads under a radius: hardly any such image lies in an Lp ball, and those that do not are never asked about.
    Source: Engstrom et al., "Exploring the landscape of spatial robustness", 2019.

    >>> Spatial(rotation=15.0).shift
    0.1
    """

    needs: ClassVar[Access] = Access.SCORES
    mode: ClassVar[str] = "first"
    rotation: float = 30.0
    shift: float = 0.1
    scale: float = 0.0
    tries: int = 500
    at_once: int = 4

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """`at_once` proposals per open row and step."""
        ground = Ground.of(scene, "evasion.spatial", fix="use evasion.random_search")
        refuse_other_than_pictures(scene, "evasion.spatial")
        xp, (high, wide) = ground.xp, scene.x.shape[-2:]

        def make(x0: Array, settings: Array) -> Array:
            turn = settings[:, 0] * math.radians(self.rotation)
            size = 1 + self.scale * settings[:, 3]
            pose = [turn, size, settings[:, 1] * self.shift * high, settings[:, 2] * self.shift * wide]
            return Warp.of(x0, xp.stack(pose, axis=1)).image(x0)

        search(oracle, ground, rng, make, 4, self.tries, self.at_once)


PLUGIN = Spatial
