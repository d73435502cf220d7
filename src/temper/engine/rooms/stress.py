"""One stressor against the target: a curve over severities, the worst column, and what breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import Unsupported
from temper.core.measure import Better, Measurement, Status
from temper.core.target import ScoreKind
from temper.engine.rooms._stress_breaks import breaks
from temper.engine.rooms._stress_column import worst_column
from temper.engine.rooms._stress_cost import cost
from temper.engine.rooms._stress_figures import first, flips, loss
from temper.engine.rooms._stress_race import race, raced
from temper.engine.rooms._stress_said import broken, findings
from temper.engine.rooms._stress_trial import Trial, ask
from temper.engine.task import Part, Task, World, clock
from temper.stress._choice import SEVERITIES
from temper.stress._drop import Yardstick
from temper.validation.gate import NOT_APPLICABLE


def run(task: Task, world: World) -> Part:
    """The measurements of one stressor on the held-out rows, in their order.

    A stressor that does not apply (no category columns) gives an UNTRIED measurement and an UNTRIED part; a model that
    raises, or scores NaN, on stressed rows gives ERROR measurements and a finding.
    """
    start = clock()
    scene = world.scene(task, world.under_stress(task))
    stressor = _build(task, scene, world)
    yardstick = Yardstick.of(scene.kind, scene.classes)
    if lack := yardstick.lack(scene.y):
        return _nothing(task, "loss", Status.INCONCLUSIVE, lack)
    try:
        stressor.apply(scene.x[:2], SEVERITIES[-1], world.rng(task, scene.ids))
    except Unsupported as reason:
        return _nothing(task, NOT_APPLICABLE, Status.UNTRIED, reason.message)
    clean = np.asarray(world.target.scores(scene.x))
    trial = Trial(
        plugin=task.plugin, stressor=stressor, scene=scene, target=world.target, clean=clean, yardstick=yardstick,
        task=task, world=world,
    )  # fmt: skip
    part = _raced(trial) if raced(task) else _measured(trial)
    return replace(part, seconds=clock() - start, queries=part.queries + len(scene.x))


def beside(measured: Sequence[Measurement], world: World) -> tuple[Measurement, ...]:
    """Where each requirement of the policy breaks; not stored, since a changed policy changes no measurement."""
    return breaks(measured, world.system.policy)


def _build(task: Task, scene: Scene, world: World) -> Any:
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in task.options}
    plugin = world.room("stress").build(task.plugin, options)
    if any(field.name == "schema" for field in fields(plugin)):
        plugin = replace(plugin, schema=scene.schema)
    return plugin


def _nothing(task: Task, metric: str, status: Status, reason: str) -> Part:
    empty = Measurement(
        plugin=f"stress.{task.plugin}", metric=metric, value=None, better=Better.LOWER, status=status, reason=reason
    )
    return Part(measurements=(empty,), status=status, reason=reason)


def _raced(trial: Trial) -> Part:
    measured, asked = race(trial)
    if not measured:
        return _nothing(trial.task, NOT_APPLICABLE, Status.UNTRIED, "there are no two faults to combine")
    return Part(measurements=measured, findings=findings(trial, measured), queries=asked)


def _measured(trial: Trial) -> Part:
    draws = trial.world.rng(trial.task, trial.scene.ids)
    stressed = (trial.stressor.apply(trial.scene.x, severity, draws) for severity in SEVERITIES)
    answers = list(ask(trial.target, stressed))
    asked = len(SEVERITIES) * len(trial.scene.x)
    for severity, answer in zip(SEVERITIES, answers, strict=True):
        if isinstance(answer, str):
            return broken(trial, severity, answer, asked)
    measured = [loss(trial, answers)]
    if trial.scene.kind is not ScoreKind.VALUE:
        measured.append(flips(trial, answers))
    if trial.world.system.cost is not None and trial.scene.classes == 2:
        measured.append(cost(trial, answers, trial.world.system.cost))
    worst, more = worst_column(trial)
    measured = [*measured, first(measured[0], trial, answers), *worst]
    return Part(measurements=tuple(measured), findings=findings(trial, measured), queries=asked + more)
