"""One evasion attack on rows handed in, outside any assessment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Measurement
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind, Target
from temper.core.text import TEXT_NORMS, TextSchema
from temper.judges.misclassified import Misclassified
from temper.kernels.loss import decide
from temper.kernels.rate import measure_rate
from temper.targets.oracle import Evidence, Oracle

Values = np.ndarray[Any, Any]


def attack_rows(
    target: Target,
    name: str,
    x: Values,
    y: Values,
    budget: Budget,
    seed: int,
    schema: Schema | None,
    threshold: float | None,
    mode: str,
    options: dict[str, Any],
) -> tuple[Evidence, Measurement]:
    """The evidence per row, and the success rate over the rows judged rightly before, random moves beside it."""
    if not name.startswith("evasion."):
        raise TemperError(
            f"{name} attacks a system, not single rows", fix="describe the system and use assess(only=...)"
        )
    if target.kind is ScoreKind.VALUE:
        raise TemperError("evasion of a regression model is not offered: there is no decision to change")
    scene = Scene(
        x=x,
        y=y,
        ids=np.arange(len(x)),
        schema=schema or free_schema(x),
        budget=budget,
        kind=target.kind,
        classes=target.classes,
        threshold=threshold,
        mode=mode,
    )
    scene = _measured(scene, name)
    found = _strike(target, scene, name, options, seed)
    noise = _strike(target, scene, "evasion.noise", {}, seed)
    right = np.asarray(decide(np.asarray(target.scores(x)), target.kind, threshold)) == y
    verdicts, by_chance = found.verdicts[right], noise.verdicts[right]
    broken, held = int((verdicts == "broken").sum()), int((verdicts == "held").sum())
    rate = measure_rate(
        name,
        "success_rate",
        broken,
        len(verdicts),
        undecided=len(verdicts) - broken - held,
        slice="rows judged rightly before the attack",
        baseline=(("random moves, equal budget", float((by_chance == "broken").mean())),) if len(by_chance) else (),
        queries=int(found.queries.sum()),
        seconds=found.seconds,
    )
    return found, rate


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


def _strike(target: Target, scene: Scene, name: str, options: dict[str, Any], seed: int) -> Evidence:
    plugin = Room("temper.attacks").build(name, options)
    if missing := plugin.needs & ~target.access:
        raise TemperError(f"{name} needs {missing.words()}, which this target does not offer")
    if isinstance(scene.schema, TextSchema) and not getattr(plugin, "texts", False):
        raise Unsupported(f"{name} moves numbers, and these rows are texts", fix="use evasion.word_bug")
    oracle = Oracle(target, scene, Misclassified(), plugin.needs)
    plugin.run(oracle, scene, Draws(seed, name, scene.ids))
    return oracle.evidence()
