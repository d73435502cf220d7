"""One evasion attack on rows handed in, outside any assessment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Measurement, Status
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.target import ScoreKind, Target
from temper.core.text import TEXT_NORMS, TextSchema
from temper.engine.adaptive import pressed
from temper.engine.doubt import BASELINE, CHANCES, doubts_of, tried_again
from temper.engine.strike import strike
from temper.kernels.loss import decide
from temper.kernels.rate import measure_rate
from temper.targets.contract import glance, loosened
from temper.targets.oracle import Evidence

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What one attack found on rows handed in; `doubts` say what makes its silence worthless, `remarks` where the
    schema binds some rows less than it says.
    """

    found: Evidence
    rate: Measurement
    doubts: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def attack_rows(target: Target, name: str, scene: Scene, seed: int, options: dict[str, Any]) -> Outcome:
    """The evidence per row, and the success rate over the rows judged rightly before, random moves beside it.

    Raises `TemperError` for an attack that is none on single rows, or needs what the target does not offer.
    """
    if not name.startswith("evasion."):
        raise TemperError(
            f"{name} attacks a system, not single rows", fix="describe the system and use assess(only=...)"
        )
    _refuse_names(target, scene)
    plugin = _plugin(target, scene, name, options)
    scene = replace(_measured(scene, name), mode=getattr(plugin, "mode", scene.mode))
    glance(target, scene.x, scene.schema)
    found = pressed(plugin, target, scene, seed, name)
    noise = strike(_plugin(target, scene, BASELINE, {}), target, _counted(scene), seed, BASELINE)
    right = _right(target, scene)
    verdicts, by_chance = found.verdicts[right], noise.verdicts[right]
    broken, held = int((verdicts == "broken").sum()), int((verdicts == "held").sum())
    said = {f"note_{key}": values[right] for key, values in found.notes.items()}
    doubts = tuple(doubts_of(name, {"verdicts": verdicts, "noise": by_chance} | said)) if right.any() else ()
    chance = "random moves, equal budget" if scene.budget.queries else f"random moves, {CHANCES:,} queries"
    rate = measure_rate(
        name,
        "success_rate",
        broken,
        len(verdicts),
        undecided=len(verdicts) - broken - held,
        slice="rows judged rightly before the attack",
        baseline=((chance, float((by_chance == "broken").mean())),) if len(by_chance) else (),
        queries=int(found.queries.sum()),
        seconds=found.seconds,
        status=Status.INCONCLUSIVE if doubts else Status.OK,
        reason="; ".join(doubts),
        caveats=tuple(tried_again(said)),
    )
    return Outcome(found=found, rate=rate, doubts=doubts, remarks=loosened(scene.x, scene.schema))


def _refuse_names(target: Target, scene: Scene) -> None:
    """A `TemperError` where the truth is no class numbers of the target."""
    y = np.asarray(scene.y)
    if y.shape != (len(scene.x),):
        raise TemperError(f"y has the shape {y.shape} for {len(scene.x)} rows", fix="give one class number per row")
    if target.kind is ScoreKind.VALUE or not len(y):
        return
    if y.dtype.kind not in "iub" and not (y.dtype.kind == "f" and (y == np.round(y)).all()):
        raise TemperError(
            f"y holds {y.tolist()[0]!r}, no class number", fix="give 0 for the target's first class, and so on"
        )
    if y.min() < 0 or (target.classes > 1 and y.max() >= target.classes):
        raise TemperError(f"y holds classes {y.min():g} to {y.max():g}, the target has 0 to {target.classes - 1}")


def _right(target: Target, scene: Scene) -> Values:
    """Rows whose decision an attack can turn; every value can be shifted."""
    if target.kind is ScoreKind.VALUE:
        return np.ones(len(scene.x), dtype=bool)
    found = np.asarray(decide(np.asarray(target.scores(scene.x)), target.kind, scene.threshold))
    return np.asarray(found == scene.y)


def _counted(scene: Scene) -> Scene:
    """The same scene for random moves, which end: without a number of queries they would go on for ever."""
    queries = CHANCES if scene.budget.queries is None else scene.budget.queries
    return replace(scene, budget=replace(scene.budget, queries=queries))


def _measured(scene: Scene, name: str) -> Scene:
    """The scene with a budget in a norm that its rows have: edits and words for texts, all others for numbers."""
    budget, texts = scene.budget, isinstance(scene.schema, TextSchema)
    if texts and scene.x.dtype != object:
        raise TemperError("a TextSchema came with rows of numbers", fix="give a list of texts, or a Schema")
    if texts and budget.radius is None and budget.norm == Budget().norm:
        return replace(scene, budget=replace(budget, norm=TEXT_NORMS[0]))
    if texts != (budget.norm in TEXT_NORMS) and not (texts and budget.norm == "cost"):
        wanted = "edits or words" if texts else "one of linf, l2, l1, l0, cost"
        raise TemperError(
            f"{name} was given a radius in norm {budget.norm}", fix=f"these rows are measured in {wanted}"
        )
    return scene


def free_schema(x: Values) -> Schema:
    """The worst case: every feature may move anywhere in the range seen in `x`; an array is a box, a text is free."""
    if x.dtype == object:
        return TextSchema()
    if x.ndim != 2:
        return Schema.box(float(np.nanmin(x)), float(np.nanmax(x)))
    ends = zip(np.nanmin(x, axis=0), np.nanmax(x, axis=0), strict=True)
    columns = (
        Column(name=f"x{at}", low=float(low), high=float(high), attacker=Mutability.FREE)
        for at, (low, high) in enumerate(ends)
    )
    return Schema(columns=tuple(columns))


def _plugin(target: Target, scene: Scene, name: str, options: dict[str, Any]) -> Any:
    room = Room("temper.attacks")
    if name not in room.names() and name in room.offered():  # whoever calls it by its name wants it to run
        room = Room("temper.attacks", allowed=(name,))
    plugin = room.build(name, options)
    if missing := plugin.needs & ~target.access:
        raise TemperError(f"{name} needs {missing.words()}, which this target does not offer")
    if isinstance(scene.schema, TextSchema) and not getattr(plugin, "texts", False):
        raise Unsupported(f"{name} moves numbers, and these rows are texts", fix="use evasion.word_bug")
    return plugin
