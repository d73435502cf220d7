"""What a stolen copy is worth to somebody who wants to evade the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from temper.attacks.extraction._answers import Copy
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.measure import Better, Measurement
from temper.core.room import Room
from temper.core.target import ScoreKind, Target
from temper.engine.rooms._extraction_door import heard
from temper.engine.strike import strike
from temper.engine.task import Task, World
from temper.kernels.loss import decide
from temper.kernels.rate import measure_rate
from temper.kernels.search import random_point, reachable
from temper.targets.function import Function

_ROWS, _SEARCH = 100, 500


def transfer(task: Task, world: World, last: tuple[int, Copy], bare: bool) -> tuple[Measurement, ...]:
    """Rows made to evade the copy, each sent once to the model; a random move of each, sent once, stands beside it.

    The search on the copy costs no queries of the model.
    """
    queries, copy = last
    scene = world.scene(task, world.attacked[:_ROWS], mode="first", budget=_evading(world))
    if scene.target is None or not len(scene.x) or not len(scene.schema.movable):
        return ()
    level = (0.5 if bare else scene.threshold) if scene.classes == 2 else None
    kind = ScoreKind.PROBABILITIES if bare or scene.kind is not ScoreKind.MARGIN else ScoreKind.MARGIN
    at_home = replace(scene, threshold=level, kind=kind, target=None)
    room = Room("temper.attacks")
    found = strike(
        room.build("evasion.coordinate", {}),
        stolen(copy, kind, scene.classes),
        at_home,
        task.seed,
        "extraction.transfer",
    )
    sent = {
        "copy": np.where((found.verdicts == "broken")[:, None], found.x_adv, scene.x),
        "random": _random(world, task, scene),
    }
    passed, lost = {}, {}
    for name, x in sent.items():
        passed[name], lost[name] = _misjudged(scene, x)
    rate = measure_rate(
        task.plugin,
        "transfer",
        int(passed["copy"].sum()),
        len(scene.x),
        undecided=int(lost["copy"].sum()),
        better=Better.LOWER,
        queries=queries,
        baseline=(("one random move each", float(passed["random"].mean())),),
        caveats=(f"one row sent per row after {queries:,} queries for the copy; {_within(scene.budget)}",),
    )
    return (rate,)


def stolen(copy: Copy, kind: ScoreKind, classes: int = 2) -> Target:
    """The copy as a target, to be attacked at home."""

    def answer(x: Any) -> Any:
        said = copy.scores(np.asarray(x, dtype=float))
        if said.ndim == 2:
            return said
        return said[:, None] if kind is ScoreKind.MARGIN else np.column_stack([1.0 - said, said])

    return Function(call=answer, kind=kind, classes=classes)


def _misjudged(scene: Scene, x: Any) -> tuple[Any, Any]:
    """Which rows pass, and which are not answered."""
    target: Any = scene.target
    answers = heard(target, x)
    lost = np.asarray(np.isnan(answers).any(axis=1))
    decided = decide(np.where(lost[:, None], 0.0, answers), scene.kind, scene.threshold)
    return (np.asarray(decided) != np.asarray(scene.y)) & scene.schema.admits(x, scene.x) & ~lost, lost


def _random(world: World, task: Task, scene: Scene) -> Any:
    low, high = reachable(scene.schema, scene.x, scene.budget)
    return random_point(scene, np.arange(len(scene.x)), world.rng(task).child("random"), 0, low, high)


def _evading(world: World) -> Budget:
    """What the first actor with a price limit may change in a row that is to pass; else a tenth of every scale."""
    for actor in world.system.actors:
        if actor.cost is not None:
            return Budget(queries=_SEARCH, norm="cost", cost=actor.cost)
    return Budget(queries=_SEARCH, norm="linf", radius=0.1)


def _within(budget: Budget) -> str:
    return f"cost {budget.cost:g} at most" if budget.cost is not None else f"{budget.norm} {budget.radius:g} at most"
