"""One attack on one target through a fresh oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temper.core.attack import Scene
from temper.core.seed import Draws
from temper.core.target import Access, NativeTarget, Target
from temper.judges.misclassified import Misclassified
from temper.targets.oracle import Evidence, Oracle


def strike(attack: Any, target: Target, scene: Scene, seed: int, name: str) -> Evidence:
    """What the attack found; where it follows gradients, rows and random numbers lie on the model's own device, but for
    tables: a schema's rules are NumPy's.
    """
    if Access.GRADIENTS in attack.needs and isinstance(target, NativeTarget) and not scene.schema.columns:
        scene = replace(scene, x=target.native(scene.x))
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(seed, name, scene.ids, scene.x))
    return oracle.evidence()
