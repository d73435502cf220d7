"""What a defence changes in a theft, paired over the same held-out rows, by a thief who knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.attacks.extraction._answers import Copy, answered, ask, student
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.defence import Effect
from temper.core.seed import Draws
from temper.engine.effect import REPLICATES
from temper.engine.rooms._extraction_budget import losses
from temper.engine.rooms._extraction_door import Door
from temper.engine.task import Part, Task, World
from temper.judges._several import confusion, macro_f1, mean_auc
from temper.kernels.bootstrap import paired
from temper.kernels.loss import decide
from temper.kernels.ranking import auc, f1

Rows = np.ndarray[Any, Any]

_NATURAL = "extraction.natural"


def effects_of(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """What a defence changed in the copy: F1 of its decisions, AUC of its scores.

    The copy of each side is held against the model as that side serves it; what honest users lose is priced apart. A
    thief who knows of the defence asks made-up or natural rows, whichever serve him better: this figure decides.
    """
    sides = (before.evidence, after.evidence)
    if not np.array_equal(sides[0]["ids"], sides[1]["ids"]):
        return ()
    plugin, rng = str(sides[0]["plugin"]), Draws(0, "extraction.effects").generator()
    series = {f"{plugin}.f1": [(side["victim"], side["copy"]) for side in sides]}
    if all("natural" in side for side in sides):
        natural = [(side["victim"], side["natural"]) for side in sides]
        best = [max(pair, key=lambda of: agreed(*of)) for pair in zip(series[f"{plugin}.f1"], natural, strict=True)]
        series = {"extraction.any.f1": best, **series, f"{plugin}.natural_f1": natural}
    if "single" in sides[1]:
        was = sides[0].get("single", sides[0]["copy"])
        series[f"{plugin}.single_f1"] = [(sides[0]["victim"], was), (sides[1]["victim"], sides[1]["single"])]
    found = [_change(defence, metric, agreed, pairs, rng) for metric, pairs in series.items()]
    if len(np.unique(sides[0]["y"])) > 1:
        found.append(_change(defence, f"{plugin}.auc", _area, [(side["y"], side["scores"]) for side in sides], rng))
    return (*found, *losses(defence, before, after))


def evidence(task: Task, scene: Scene, victim: Rows, copy: Copy, natural: Copy | None) -> dict[str, Any]:
    """Per judged row what the model and the copies of it say, for `effects`."""
    kept = {
        "plugin": np.array(task.plugin),
        "ids": np.asarray(scene.ids),
        "y": (np.asarray(scene.y) == 1).astype(int) if scene.classes == 2 else np.asarray(scene.y),
        "victim": victim,
        "copy": np.asarray(copy.flags(scene.x)),
        "scores": np.asarray(copy.scores(scene.x)),
    }
    return kept if natural is None else kept | {"natural": np.asarray(natural.flags(scene.x))}


def decided(scene: Scene, answers: Rows) -> Rows:
    """Whether the victim flags (n,), or the class numbers it decides for."""
    said = np.asarray(decide(answers, scene.kind, scene.threshold))
    return said == 1 if scene.classes == 2 else said


def agreed(victim: Rows, copy: Rows) -> float:
    """F1 of a copy's flags, the mean over classes of its class numbers."""
    if victim.dtype == bool:
        return f1(victim, copy)
    return float(macro_f1(confusion(victim, copy, int(max(victim.max(), copy.max())) + 1)))


def _area(y: Rows, scores: Rows) -> float:
    return auc(y, scores) if scores.ndim == 1 else mean_auc(y, scores)


def natural_copy(
    task: Task, world: World, scene: Scene, own: Data, queries: int, rng: Draws, *, bare: bool
) -> tuple[Copy | None, int]:
    """A copy by as many natural rows as somebody may hold, and what it cost; None where nobody can harden the system.

    An actor who knows more than the outside is taken to hold rows like the customers'; others hold `own`.
    """
    if world.system.train is None or task.plugin == _NATURAL:
        return None, 0
    x = np.asarray(own.x, dtype=float)
    if any(actor.knowledge != "black-box" for actor in world.system.actors):
        spare = np.setdiff1d(np.arange(len(world.system.data)), world.held_out)
        taken = rng.generator(8).permutation(spare)[:queries]
        x = np.asarray(world.system.data.x[taken], dtype=float) if len(taken) > len(x) else x
    door = Door(world.target, min(queries, len(x)))
    answers = ask(door, scene, x, bare=bare)
    known = answered(answers)
    if not known.any():
        return None, door.spent
    return student(scene, x[known], answers[known], bare=bare, seed=rng.integer(9_998)), door.spent


def _change(defence: str, metric: str, statistic: Any, pairs: Sequence[Any], rng: np.random.Generator) -> Effect:
    difference, low, high = paired(statistic, *pairs, rng=rng, replicates=REPLICATES, method="percentile")
    return Effect(
        defence=defence,
        metric=metric,
        before=float(statistic(*pairs[0])),
        after=float(statistic(*pairs[1])),
        difference=difference,
        low=low,
        high=high,
        n=len(pairs[0][0]),
        verdict="better" if high < 0 else "worse" if low > 0 else "no clear change",
    )
