"""Extraction: a copy fitted to metered answers, and how good it is at every number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.attacks.extraction._student import Student, fit_student
from temper.core.attack import Outcome, Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.finding import Finding
from temper.core.measure import Curve, Measurement, Point
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.engine.identity import finding_id
from temper.engine.rooms._payload import build, untried, why_not
from temper.engine.task import Part, Task, World, clock
from temper.judges.agreement import Agreement, Copied
from temper.kernels.loss import decide, flagged_score
from temper.targets.oracle import Meter

_METRICS = ("f1", "kappa", "auc_ratio")
_KNOWN = 200
_FEWEST = 100


def run(task: Task, world: World) -> Part:
    """Steal a copy within the query budget and judge it on held-out rows the attack never had."""
    started = clock()
    bare = world.system.exposure.returns == "label" or Access.SCORES not in world.target.access
    # A scenario's budget counts queries per attacked row; a copy is made with one budget for all its rows.
    plugin = build(task, queries=task.sizes.students, bare=bare)
    if reason := why_not(world, needs=plugin.needs, train=False) or _unfit(world):
        return untried(task, _METRICS, reason)
    rng = world.rng(task)
    own, rows = split(world, rng)
    hidden = Data(x=own.x, y=np.full(len(own), -1), ids=own.ids)
    scene = world.scene(task, rows, reference=hidden, train=None)
    meter = Meter(world.target, plugin.queries)
    try:
        copies = plugin.run(meter, scene, rng)
    except Unsupported as problem:
        return untried(task, _METRICS, problem.message)
    judged = _judge(task, scene, copies.steps, _home_made(scene, own, rng.integer(9_999)), rng, bare=plugin.bare)
    measurements = _with_curves(judged)
    findings = _findings(task, world, measurements)
    seconds = clock() - started
    return Part(measurements=measurements, findings=findings, seconds=seconds, queries=meter.spent)


def split(world: World, rng: Draws) -> tuple[Data, np.ndarray[Any, Any]]:
    """The rows an attacker holds (200, or a tenth of what there is) and the held-out positions left for the judge.

    They come from rows outside the held-out sample if there are enough, so that no judged row was ever seen.
    """
    total = len(world.system.data)
    spare = np.setdiff1d(np.arange(total), world.held_out)
    wanted = min(_KNOWN, total // 10)
    if len(spare) >= wanted:
        return world.system.data.take(np.sort(rng.generator(7).choice(spare, wanted, replace=False))), world.held_out
    mixed = rng.generator(7).permutation(world.held_out)
    return world.system.data.take(np.sort(mixed[:wanted])), np.sort(mixed[wanted:])


def _unfit(world: World) -> str:
    if world.target.classes != 2 or not world.system.schema.columns:
        return "extraction is measured on binary tables"
    if len(world.held_out) < _FEWEST:
        return f"{len(world.held_out)} held-out rows are too few to judge a copy; it takes {_FEWEST}"
    return ""


def _home_made(scene: Scene, own: Data, seed: int) -> Student:
    """What the attacker could fit without asking: the same student on his own rows, as if he knew their labels."""
    many = np.array([c.type == "category" for c in scene.schema.columns])
    labels = (np.asarray(own.y) == 1).astype(float)
    level = 0.5 if scene.threshold is None or scene.kind is ScoreKind.MARGIN else scene.threshold
    return fit_student(own.x, labels, scene.kind, level, bare=True, categorical=many, seed=seed)


def _judge(
    task: Task, scene: Scene, steps: Sequence[tuple[int, Student]], home: Student, rng: Draws, *, bare: bool
) -> list[tuple[Measurement, ...]]:
    """Every copy against the victim on the same held-out rows; the victim is asked once."""
    if scene.target is None or scene.reference is None:
        return []
    answers = np.asarray(scene.target.scores(scene.x), dtype=float)
    victim, clean = decide(answers, scene.kind, scene.threshold) == 1, flagged_score(answers, scene.kind)
    own, own_scores, known = home.flags(scene.x), home.scores(scene.x), len(scene.reference)
    judge = Agreement(plugin=task.plugin, replicates=task.sizes.replicates, rng=rng.child("judge"))
    judged = []
    for queries, copy in steps:
        seen = Copied(
            victim=victim,
            copy=copy.flags(scene.x),
            own=own,
            own_scores=own_scores,
            queries=queries,
            known=known,
            bare=bare,
        )
        judged.append(judge.judge(scene, Outcome(scores=copy.scores(scene.x), clean=clean, y=scene.y, payload=seen)))
    return judged


def _with_curves(judged: Sequence[tuple[Measurement, ...]]) -> tuple[Measurement, ...]:
    """The figures at the full budget, each with its curve over the number of queries."""
    return tuple(
        replace(last, curve=_curve([m for step in judged for m in step if m.metric == last.metric]))
        for last in judged[-1]
    )


def _curve(series: Sequence[Measurement]) -> Curve | None:
    points = tuple(
        Point(at=float(m.queries), value=m.value, low=m.low, high=m.high, n=m.n)
        for m in series
        if m.value is not None and m.low is not None and m.high is not None
    )
    name = f"{series[0].metric} against queries"
    return Curve(name=name, axis="queries", unit=series[0].metric, points=points) if points else None


def _findings(task: Task, world: World, measurements: Sequence[Measurement]) -> tuple[Finding, ...]:
    """A finding when the copy is surely closer to the victim than a model made without queries."""
    by_metric = {m.metric: m for m in measurements}
    close, ratio = by_metric["f1"], by_metric["auc_ratio"]
    if close.value is None or close.low is None or close.high is None:
        return ()
    own = dict(close.baseline)["own labels, no queries"]
    if close.low <= max(own, 0.5):
        return ()
    lift = "" if ratio.value is None else f" and has {ratio.value:.0%} of its AUC"
    raw = by_metric["raw_agreement"].value or 0.0
    finding = Finding(
        id=finding_id(task.plugin, "f1", world.system),
        title=f"A copy of the model can be had for {close.queries:,} queries (F1 {close.value:.2f})",
        plugin=task.plugin,
        metric=close.name,
        severity="high" if close.value >= 0.8 else "medium" if close.value >= 0.65 else "low",
        scenario=task.scenario,
        detail=f"{close.queries:,} made-up rows give a copy that shares the model's flags with F1 {close.value:.2f} "
        f"({close.low:.2f} to {close.high:.2f}, {close.n:,} rows){lift}; a model fitted without queries has F1 "
        f"{own:.2f}. Raw agreement is {raw:.1%} and says little where flags are rare. Rounding scores or returning "
        "labels only slows this; a query budget per client, sized by the curve, stops it.",
    )
    return (finding,)
