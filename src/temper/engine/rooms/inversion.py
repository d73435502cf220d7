"""Inversion: ask a model about its training data, and judge the answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.attacks.inversion._pool import found_in
from temper.core.defence import Effect
from temper.core.errors import Unsupported
from temper.engine.rooms import _inversion_membership as membership
from temper.engine.rooms._payload import build, untried, why_not
from temper.engine.task import Part, Task, World, clock
from temper.judges.advantage import Membership

_FEWEST = 50
_BY_PAYLOAD = {Membership: membership}


def run(task: Task, world: World) -> Part:
    """One attack on the deployed model, with the checks that make its figures believable."""
    started = clock()
    plugin = build(task, references=_even(task.sizes.references))
    if reason := why_not(world, needs=plugin.needs, train=True):
        return untried(task, membership.METRICS, reason)
    rows, known = unseen(world)
    if len(rows) < _FEWEST:
        return untried(
            task, membership.METRICS, f"{len(rows)} held-out rows are not in the training data; it takes {_FEWEST}"
        )
    scene, rng = world.scene(task, rows), world.rng(task)
    try:
        payload = plugin.run(None, scene, rng)
    except Unsupported as problem:
        return untried(task, membership.METRICS, problem.message)
    part: Part = _BY_PAYLOAD[type(payload)].part(task, world, scene, payload, known, started)
    scene.progress(1.0)
    return part


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """What a defence changed, paired over the same rows, from the evidence two runs of one task left."""
    return membership.effects(defence, before, after)


def unseen(world: World) -> tuple[np.ndarray[Any, Any], int]:
    """Held-out positions whose rows are nowhere in the whole training data, and how many were."""
    train = world.system.train
    if train is None:
        return world.held_out, 0
    twice = found_in(world.system.data.x[world.held_out], train.x)
    return world.held_out[~twice], int(twice.sum())


def _even(references: int) -> int:
    return max(2, references + references % 2)
