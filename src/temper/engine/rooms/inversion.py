"""Inversion: fit reference models, ask who was trained on, and judge the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.attacks.inversion._pool import found_in
from temper.core.attack import Outcome
from temper.core.errors import Unsupported
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.core.target import Access
from temper.engine.identity import finding_id
from temper.engine.rooms._payload import build, untried, why_not
from temper.engine.task import Part, Task, World, clock
from temper.judges.advantage import Advantage, Membership, exposed

_METRICS = ("auc", "tpr_at_1pct", "tpr_at_01pct")
_FEWEST = 50


def run(task: Task, world: World) -> Part:
    """Membership inference against the deployed model, with its validity checks."""
    started = clock()
    plugin = build(task, references=_even(task.sizes.references))
    if reason := why_not(world, needs=plugin.needs | Access.RETRAIN, train=True):
        return untried(task, _METRICS, reason)
    rows, known = unseen(world)
    if len(rows) < _FEWEST:
        return untried(task, _METRICS, f"{len(rows)} held-out rows are not in the training data; it takes {_FEWEST}")
    scene, rng = world.scene(task, rows), world.rng(task)
    try:
        seen = plugin.run(None, scene, rng)
    except Unsupported as problem:
        return untried(task, _METRICS, problem.message)
    seen = replace(seen, duplicates=seen.duplicates + known)
    judge = Advantage(plugin=task.plugin, rng=rng.child("judge"))
    measurements = judge.judge(scene, Outcome(scores=seen.score, y=seen.y, payload=seen))
    scene.progress(1.0)
    seconds = clock() - started
    findings = _findings(task, world, measurements, seen)
    return Part(measurements=measurements, findings=findings, seconds=seconds)


def unseen(world: World) -> tuple[np.ndarray[Any, Any], int]:
    """Held-out positions whose rows are nowhere in the whole training data, and how many were."""
    train = world.system.train
    if train is None:
        return world.held_out, 0
    twice = found_in(world.system.data.x[world.held_out], train.x)
    return world.held_out[~twice], int(twice.sum())


def _even(references: int) -> int:
    return max(2, references + references % 2)


def _findings(task: Task, world: World, measurements: Sequence[Measurement], seen: Membership) -> tuple[Finding, ...]:
    """A finding when the attack is surely better than guessing, on the deployed model or on its recipe."""
    by_metric = {m.metric: m for m in reversed(measurements) if m.status is Status.OK}  # the deployed model's first
    area, rate = by_metric.get("auc"), by_metric.get("tpr_at_1pct")
    if area is None or area.value is None or area.low is None or area.high is None:
        return ()
    told = rate.value if rate is not None and rate.value is not None else 0.0
    surely = rate is not None and rate.low is not None and rate.low > 2 * 0.01
    if area.low <= max(0.52, dict(area.baseline)["permuted labels, upper end"]) and not surely:
        return ()
    detail = (
        f"A membership attack with {len(seen.references)} reference models ranks training rows above others with "
        f"AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f}, {area.n:,} rows); the loss attack most tools run "
        f"gives {dict(area.baseline)['loss attack']:.3f}. {_reach(rate)}{_standing_out(area, seen)}"
        "Restraining the fit (shallower, slower, subsampled) removes most of it; rounding scores does not."
    )
    finding = Finding(
        id=finding_id(task.plugin, "auc", world.system),
        title=f"Training rows can be recognised (AUC {area.value:.2f})",
        plugin=task.plugin,
        metric=area.name,
        severity="high" if told >= 0.1 or area.value >= 0.75 else "medium" if told >= 0.03 else "low",
        scenario=task.scenario,
        detail=detail,
        defences=("regularise",),
    )
    return (finding,)


def _reach(rate: Measurement | None) -> str:
    if rate is None or rate.value is None or rate.low is None or rate.high is None:
        return "There are too few held-out rows for a rate at 1 % false positives. "
    return f"At 1 % false positives it finds {rate.value:.1%} of them ({rate.low:.1%} to {rate.high:.1%}). "


def _standing_out(area: Measurement, seen: Membership) -> str:
    if area.slice != "all":
        return "This is a refit of the same recipe, not the deployed model. "
    count = len(exposed(seen.member, seen.score))
    return f"{count:,} training rows stand out one by one (false discovery rate 5 %). " if count else ""
