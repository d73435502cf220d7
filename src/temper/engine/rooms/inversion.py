"""Inversion: ask a model about its training data, and judge the answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.attacks.inversion._pool import found_in
from temper.core.defence import Effect
from temper.core.errors import Unsupported
from temper.engine.rooms import _inversion_attribute as attribute
from temper.engine.rooms import _inversion_membership as membership
from temper.engine.rooms import _inversion_property as shares
from temper.engine.rooms import _inversion_reconstruction as reconstruction
from temper.engine.rooms._payload import build, untried, why_not
from temper.engine.task import Part, Task, World, clock
from temper.judges.advantage import Membership
from temper.judges.attribute import Attributes
from temper.judges.nearness import Reconstructions
from temper.judges.share import Shares

_FEWEST = 50
_BY_PAYLOAD: dict[type, Any] = {
    Membership: membership,
    Attributes: attribute,
    Shares: shares,
    Reconstructions: reconstruction,
}


def run(task: Task, world: World) -> Part:
    """One attack on the deployed model, with the checks that make its figures believable."""
    started = clock()
    plugin = build(world, task, references=_even(task.sizes.references))
    way = _BY_PAYLOAD[getattr(plugin, "gives", Membership)]
    if reason := why_not(world, needs=plugin.needs, train=True):
        return untried(task, way.METRICS, reason)
    rows, known = unseen(world)
    if len(rows) < _FEWEST:
        return untried(task, way.METRICS, f"{len(rows)} held-out rows are not in the training data; it takes {_FEWEST}")
    scene, rng = world.scene(task, rows), world.rng(task)
    try:
        payload = plugin.run(None, scene, rng)
    except Unsupported as problem:
        return untried(task, way.METRICS, problem.message)
    part: Part = way.part(task, world, scene, payload, known, started)
    scene.progress(1.0)
    return part


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """What a defence changed, paired over the same rows, from the evidence two runs of one task left."""
    return tuple(effect for way in _BY_PAYLOAD.values() for effect in way.effects(defence, before, after))


def unseen(world: World) -> tuple[np.ndarray[Any, Any], int]:
    """Held-out positions whose rows are nowhere in the whole training data, and how many were."""
    train = world.system.train
    if train is None:
        return world.held_out, 0
    twice = found_in(world.system.data.x[world.held_out], train.x)
    return world.held_out[~twice], int(twice.sum())


def _even(references: int) -> int:
    return max(2, references + references % 2)
