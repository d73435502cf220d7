"""Poisoning: fit clean and poisoned twins at rising doses and measure what the poison does."""

from __future__ import annotations

from typing import Any

from temper.core.defence import Effect
from temper.core.errors import Unsupported
from temper.core.measure import Status
from temper.core.target import Access
from temper.engine.rooms import _poisoning_flips, _poisoning_triggers
from temper.engine.rooms._payload import build, untried, why_not
from temper.engine.rooms._poisoning_effects import paired
from temper.engine.rooms._poisoning_twins import fitted, shares
from temper.engine.task import Part, Task, World, clock


def run(task: Task, world: World) -> Part:
    """Dose-response of one poisoner, against clean twins fitted on the same rows with the same seeds."""
    started = clock()
    plugin = build(world, task)
    plants = getattr(plugin, "plants", False)
    way: Any = _poisoning_triggers if plants else _poisoning_flips
    needs = plugin.needs & ~Access.RETRAIN if world.refits else plugin.needs | Access.RETRAIN
    if reason := why_not(world, needs=needs, train=True):
        return untried(task, way.METRICS, reason)
    scene = world.scene(task)
    doses = shares(task, _rates(task, plugin) if plants else task.sizes.doses)
    try:
        twins = fitted(task, plugin, scene, world.rng(task), doses, started)
    except Unsupported as problem:
        return untried(task, way.METRICS, problem.message)
    measurements = way.measure(task, plugin, scene, twins)
    scene.progress(1.0)
    status = Status.OK if len(twins.clean) == task.sizes.repeats else Status.INCONCLUSIVE
    reason = "" if status is Status.OK else f"out of time after {len(twins.clean)} of {task.sizes.repeats} repeats"
    return Part(
        measurements=measurements,
        findings=tuple(way.findings(task, world, measurements)),
        evidence=way.evidence(plugin, scene, twins),
        status=status,
        reason=reason,
        seconds=clock() - started,
    )


def _rates(task: Task, plugin: Any) -> tuple[float, ...]:
    """The suite's doses; not the smallest for attacks on chosen rows, which share a dose among them."""
    return (task.sizes.rates[1:] if getattr(plugin, "aims", False) else ()) or task.sizes.rates


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """What a defence changed: the poison's success at the largest dose, on the same rows with the same seeds."""
    return paired(defence, before, after)
