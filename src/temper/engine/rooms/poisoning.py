"""Poisoning: fit clean and poisoned twins at rising doses and measure what the poison costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import Unsupported
from temper.core.finding import Finding
from temper.core.measure import Curve, Measurement, Point, Status
from temper.core.seed import Draws
from temper.core.target import Access, Recipe
from temper.engine.identity import finding_id
from temper.engine.rooms._payload import build, untried, why_not
from temper.engine.task import Part, Task, World, clock
from temper.judges.recall_loss import Dose, RecallLoss
from temper.kernels.loss import decide

_METRICS = ("recall_loss", "recall_loss_at_threshold", "auc_loss")
_WORDS = {
    "recall_loss": "at the same number of alerts",
    "recall_loss_at_threshold": "at the same threshold",
}


@dataclass(slots=True)
class _Twins:
    """Held-out scores of the twins fitted so far, each (n, k), in the order of the repeats."""

    clean: list[Any] = field(default_factory=list)
    poisoned: dict[float, list[Any]] = field(default_factory=dict)
    flipped: dict[float, int] = field(default_factory=dict)


def run(task: Task, world: World) -> Part:
    """Dose-response of one poisoner, against clean twins fitted on the same rows with the same seeds."""
    started = clock()
    plugin = build(task)
    if reason := why_not(world, needs=plugin.needs | Access.RETRAIN, train=True):
        return untried(task, _METRICS, reason)
    scene = world.scene(task)
    try:
        twins = _fit(task, plugin, scene, world.rng(task), started)
    except Unsupported as problem:
        return untried(task, _METRICS, problem.message)
    found = _judge(task, plugin, scene, twins)
    scene.progress(1.0)
    measurements = (*_headline(found), *found)
    findings = tuple(_findings(task, world, measurements))
    status = Status.OK if len(twins.clean) == task.sizes.repeats else Status.INCONCLUSIVE
    reason = "" if status is Status.OK else f"out of time after {len(twins.clean)} of {task.sizes.repeats} repeats"
    return Part(measurements=measurements, findings=findings, status=status, reason=reason, seconds=clock() - started)


def shares(task: Task) -> tuple[float, ...]:
    """The doses, rising: those of the suite up to the attacker's budget, and the budget itself."""
    budget = task.budget.share
    if budget is None:
        return tuple(sorted(task.sizes.doses))
    return tuple(sorted({dose for dose in task.sizes.doses if dose < budget} | {budget}))


def _fit(task: Task, plugin: Any, scene: Scene, rng: Draws, started: float) -> _Twins:
    """All twins, repeat by repeat, so that a cut-off run still has complete repeats."""
    twins, train = _Twins(), scene.train
    if train is None or scene.fit is None:
        return twins
    doses = shares(task)
    for repeat in range(task.sizes.repeats):
        spent = clock() - started
        if repeat and spent + spent / repeat > task.seconds:
            break
        recipe = Recipe(seed=rng.integer(repeat))
        twins.clean.append(scene.fit([train], recipe)[0].scores(scene.x))
        for at, share in enumerate(doses):
            budget = replace(scene.budget, share=share)
            poisoned = plugin.run(None, replace(scene, budget=budget), rng.child(f"repeat {repeat}"))
            flipped = int(np.count_nonzero(np.asarray(poisoned.y) != np.asarray(train.y)))
            if flipped in [twins.flipped[other] for other in doses[:at] if other in twins.flipped]:
                continue  # a capped dose is the same poison as the one before it
            twins.flipped[share] = flipped
            twins.poisoned.setdefault(share, []).append(scene.fit([poisoned], recipe)[0].scores(scene.x))
            scene.progress((repeat + (at + 1) / len(doses)) / task.sizes.repeats)
    return twins


def _judge(task: Task, plugin: Any, scene: Scene, twins: _Twins) -> tuple[Measurement, ...]:
    source = getattr(plugin, "source", 1 if scene.classes == 2 else None)
    judge = RecallLoss(plugin=task.plugin, source=source)
    train, target = scene.train, scene.target
    if train is None or target is None:
        return ()
    attacked = getattr(plugin, "source", None)
    eligible = len(train) if attacked is None else int(np.count_nonzero(np.asarray(train.y) == attacked))
    alerts = int(np.count_nonzero(decide(target.scores(scene.x), scene.kind, scene.threshold) == 1))
    found: list[Measurement] = []
    for share, poisoned in twins.poisoned.items():
        dose = Dose(
            share=share,
            flipped=twins.flipped[share],
            rows=len(train),
            eligible=eligible,
            alerts=alerts if scene.classes == 2 else len(scene.y),
            label=f"dose {share:.4g}",
        )
        outcome = Outcome(scores=np.stack(poisoned), clean=np.stack(twins.clean), y=scene.y, payload=dose)
        found += judge.judge(scene, outcome)
    return tuple(found)


def _headline(found: Sequence[Measurement]) -> list[Measurement]:
    """Per metric the figure at the largest dose, with the whole dose-response curve, for requirements to name."""
    lines = []
    for metric in _METRICS:
        series = [m for m in found if m.metric == metric]
        if series:
            curve = _curve(metric, series)
            lines.append(replace(series[-1], slice="all", curve=curve, caveats=(series[-1].slice, *series[-1].caveats)))
    return lines


def _curve(metric: str, series: Sequence[Measurement]) -> Curve | None:
    points = tuple(
        Point(at=float(m.slice.removeprefix("dose ")), value=m.value, low=m.low, high=m.high, n=m.n)
        for m in series
        if m.value is not None and m.low is not None and m.high is not None
    )
    unit = "AUC" if metric == "auc_loss" else "recall"
    return (
        Curve(name=metric.replace("_", " "), axis="share of training rows", unit=unit, points=points)
        if points
        else None
    )


def _findings(task: Task, world: World, measurements: Sequence[Measurement]) -> list[Finding]:
    """A finding per way of operating, when the loss at the largest dose is beyond what refitting alone does."""
    by_metric = {m.metric: m for m in measurements if m.slice == "all"}
    area = by_metric.get("auc_loss")
    return [
        _finding(task, world, by_metric[metric], area)
        for metric in _WORDS
        if metric in by_metric and _real(by_metric[metric])
    ]


def _real(loss: Measurement) -> bool:
    """Whether the whole interval lies beyond the noise of refitting."""
    return loss.low is not None and loss.low > dict(loss.baseline).get("refit noise", 0.0)


def _finding(task: Task, world: World, loss: Measurement, area: Measurement | None) -> Finding:
    value, low, high = float(loss.value or 0.0), float(loss.low or 0.0), float(loss.high or 0.0)
    noise = dict(loss.baseline).get("refit noise", 0.0)
    beside = f" AUC moved by {-area.value:+.3f}, which does not show it." if area and area.value is not None else ""
    return Finding(
        id=finding_id(task.plugin, loss.metric, world.system),
        title=f"Mislabelled training rows cost {100 * value:.0f} points of recall {_WORDS[loss.metric]}",
        plugin=task.plugin,
        metric=loss.name,
        severity="high" if value >= 0.2 else "medium" if value >= 0.05 else "low",
        scenario=task.scenario,
        detail=f"{loss.caveats[1]}: a refitted model loses {100 * value:.1f} points of recall {_WORDS[loss.metric]} "
        f"({100 * low:.1f} to {100 * high:.1f}, {loss.n:,} held-out rows); refitting alone moves it by "
        f"{100 * noise:.1f}.{beside}",
        defences=("regularise",),
    )
