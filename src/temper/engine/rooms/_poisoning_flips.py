"""Wrong labels: what the poisoned twins lose of recall and of the area under the curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.finding import Finding
from temper.core.measure import Curve, Measurement, Point
from temper.engine.identity import weakness
from temper.engine.rooms._defences import against
from temper.engine.rooms._poisoning_twins import Twins
from temper.engine.task import Task, World
from temper.judges.recall_loss import Dose, RecallLoss
from temper.kernels.loss import decide

_SHOWS = 0.05
METRICS = ("recall_loss", "recall_loss_at_threshold", "auc_loss")
_WORDS = {
    "recall_loss": "at the same number of alerts",
    "recall_loss_at_threshold": "at the same threshold",
}


def measure(task: Task, plugin: Any, scene: Scene, twins: Twins) -> tuple[Measurement, ...]:
    """Per dose what the twins lost, headed by the figures at the largest dose."""
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
            flipped=twins.rows[share],
            rows=len(train),
            eligible=eligible,
            alerts=alerts if scene.classes == 2 else len(scene.y),
            label=f"dose {share:.4g}",
        )
        outcome = Outcome(scores=np.stack(poisoned), clean=np.stack(twins.clean), y=scene.y, payload=dose)
        found += judge.judge(scene, outcome)
    return (*_headline(found), *found)


def evidence(plugin: Any, scene: Scene, twins: Twins) -> dict[str, Any]:
    """Per row of the attacked class and repeat, whether it is caught at the threshold: clean twins, largest dose."""
    if not twins.poisoned:
        return {}
    y = np.asarray(scene.y)
    source = getattr(plugin, "source", 1 if scene.classes == 2 else None)
    stake = np.ones(len(y), dtype=bool) if source is None else y == source
    largest = twins.poisoned[max(twins.poisoned)]
    caught = [
        [decide(one, scene.kind, scene.threshold)[stake] == y[stake] for one in t] for t in (largest, twins.clean)
    ]
    return {"ids": np.asarray(scene.ids)[stake], "caught": np.array(caught[0]), "clean": np.array(caught[1])}


def _headline(found: Sequence[Measurement]) -> list[Measurement]:
    """Per metric the figure at the largest dose, with the whole dose-response curve, for requirements to name."""
    lines = []
    for metric in METRICS:
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


def findings(task: Task, world: World, measurements: Sequence[Measurement]) -> list[Finding]:
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
    beside = ""
    if area is not None and area.value is not None:
        hidden = ", which does not show it" if area.value < _SHOWS else ""
        beside = f" AUC moved by {-area.value:+.3f}{hidden}."
    return Finding(
        id=weakness(task.plugin, loss.metric),
        title=f"Mislabelled training rows cost {100 * value:.0f} points of recall {_WORDS[loss.metric]}",
        plugin=task.plugin,
        metric=loss.name,
        severity="high" if value >= 0.2 else "medium" if value >= 0.05 else "low",
        scenario=task.scenario,
        detail=f"{loss.caveats[1]}: a refitted model loses {100 * value:.1f} points of recall {_WORDS[loss.metric]} "
        f"({100 * low:.1f} to {100 * high:.1f}, {loss.n:,} held-out rows); refitting alone moves it by "
        f"{100 * noise:.1f}.{beside}",
        defences=against(task, world),
    )
