"""Extraction: a copy fitted to metered answers, and how good it is at every number of queries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.attacks.extraction._answers import Copy, TooFew, shares, student
from temper.attacks.extraction._several import Several
from temper.attacks.extraction._student import Student, fit_student
from temper.core.attack import Outcome, Scene
from temper.core.data import Data
from temper.core.defence import Effect
from temper.core.errors import Unsupported
from temper.core.finding import Finding
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.engine.identity import weakness
from temper.engine.rooms._defences import against
from temper.engine.rooms._extraction_budget import priced, stolen, unpriced, within
from temper.engine.rooms._extraction_door import Door, heard
from temper.engine.rooms._extraction_doubt import doubted, doubts, undecided
from temper.engine.rooms._extraction_effects import agreed, decided, effects_of, evidence, natural_copy
from temper.engine.rooms._extraction_transfer import transfer
from temper.engine.rooms._payload import build, untried, why_not
from temper.engine.task import Part, Task, World, clock
from temper.judges.agreement import Agreement, Copied, reached
from temper.kernels.loss import flagged_score
from temper.kernels.precision import opens
from temper.kernels.rate import measure_rate
from temper.targets.budgeted import budget_of

_METRICS = ("f1", "kappa", "auc_ratio")
_KNOWN = 200
_FEWEST = 100
_LIFT, _FAR, _SAME = 0.9, 1e6, 1e-6


def run(task: Task, world: World) -> Part:
    """Steal a copy within the query budget and judge it on held-out rows the attack never had."""
    started = clock()
    bare = world.system.exposure.returns == "label" or Access.SCORES not in world.target.access
    # A scenario's budget counts queries per attacked row; a copy is made with one budget for all its rows.
    plugin = within(build(world, task, queries=task.sizes.students, bare=bare), world)
    reason = why_not(world, needs=plugin.needs, train=False) or _unfit(world) or unpriced(world)
    if bare and plugin.needs is Access.SCORES:
        reason = reason or "the attack needs scores, and the system returns decisions"
    if reason:
        return untried(task, _METRICS, reason)
    rng = world.rng(task)
    own, rows = split(world, rng, getattr(plugin, "known", _KNOWN))
    hidden = Data(x=own.x, y=np.full(len(own), -1), ids=own.ids)
    scene = world.scene(task, rows, reference=hidden, train=None)
    door = Door(world.target, plugin.queries)
    try:
        copies = stolen(plugin, door, scene, rng, world)
    except TooFew as problem:
        return undecided(task, _METRICS, problem.message, door.spent)
    except Unsupported as problem:
        if door.stopped:
            return undecided(task, _METRICS, f"the endpoint stopped: {door.stopped}", door.spent)
        return untried(task, _METRICS, problem.message)
    doubt = doubts(door, copies, plugin.queries, budget_of(world.target) is not None)
    scene, answers = _answered(scene)
    if len(answers) < _FEWEST:
        gone = f"{len(answers)} of {len(rows):,} held-out rows were answered, too few to judge a copy"
        return undecided(task, _METRICS, "; ".join(filter(None, (doubt, gone))), door.spent)
    bare = getattr(plugin, "bare", False)
    home = _home_made(scene, own, rng.integer(9_999))
    judged = _judge(task, scene, answers, copies.steps, home, rng, bare=bare)
    natural, paid = natural_copy(task, world, scene, own, copies.steps[-1][0], rng, bare=bare)
    measurements = (*_with_curves(judged), *_exact(task, scene, answers, copies.steps[-1]))
    measurements += transfer(task, world, copies.steps[-1], bare)
    victim = decided(scene, answers)
    limited, alone, more = priced(task, world, plugin, scene, victim, agreed, rng)
    measurements += (_to_level(task, measurements), *limited)
    return Part(
        measurements=doubted(measurements, doubt),
        findings=_findings(task, world, measurements, opens(answers, bare)),
        evidence=evidence(task, scene, victim, copies.steps[-1][1], natural) | alone,
        status=Status.INCONCLUSIVE if doubt else Status.OK,
        reason=doubt,
        seconds=clock() - started,
        queries=door.spent + paid + more,
    )


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """What a defence changed in the copy, paired over the same held-out rows."""
    return effects_of(defence, before, after)


def _answered(scene: Scene) -> tuple[Scene, np.ndarray[Any, Any]]:
    """The held-out rows that the victim answers, and its answers."""
    target: Any = scene.target
    answers = heard(target, scene.x)
    kept = np.flatnonzero(~np.isnan(answers).any(axis=1))
    x, y, ids = (np.asarray(part)[kept] for part in (scene.x, scene.y, scene.ids))
    return replace(scene, x=x, y=y, ids=ids), answers[kept]


def split(world: World, rng: Draws, known: int = _KNOWN) -> tuple[Data, np.ndarray[Any, Any]]:
    """The rows an attacker holds (`known`, or a tenth of what there is) and the held-out positions left for the judge.

    They come from rows outside the held-out sample if there are enough, so that no judged row was ever seen.
    """
    total = len(world.system.data)
    spare = np.setdiff1d(np.arange(total), world.held_out)
    wanted = min(known, total // 10)
    if len(spare) >= wanted:
        return world.system.data.take(np.sort(rng.generator(7).choice(spare, wanted, replace=False))), world.held_out
    mixed = rng.generator(7).permutation(world.held_out)
    return world.system.data.take(np.sort(mixed[:wanted])), np.sort(mixed[wanted:])


def _unfit(world: World) -> str:
    if len(world.held_out) < _FEWEST:
        return f"{len(world.held_out)} held-out rows are too few to judge a copy; it takes {_FEWEST}"
    return ""


def _home_made(scene: Scene, own: Data, seed: int) -> Student | Several:
    """What the attacker could fit without asking: the same student on his own rows, as if he knew their labels."""
    if scene.classes > 2:
        return student(scene, own.x, np.eye(scene.classes)[np.asarray(own.y)], bare=True, seed=seed)
    many = np.array([c.type == "category" for c in scene.schema.columns] or [False] * own.x[0].size)
    labels = (np.asarray(own.y) == 1).astype(float)
    level = 0.5 if scene.threshold is None or scene.kind is ScoreKind.MARGIN else scene.threshold
    return fit_student(own.x, labels, scene.kind, level, bare=True, categorical=many, seed=seed)


def _judge(
    task: Task,
    scene: Scene,
    answers: np.ndarray[Any, Any],
    steps: Sequence[tuple[int, Copy]],
    home: Copy,
    rng: Draws,
    *,
    bare: bool,
) -> list[tuple[Measurement, ...]]:
    """Every copy against the victim's answers on the same held-out rows."""
    victim = decided(scene, answers)
    clean = flagged_score(answers, scene.kind) if scene.classes == 2 else shares(answers, scene.kind)
    own, own_scores = home.flags(scene.x), home.scores(scene.x)
    known = 0 if scene.reference is None else len(scene.reference)
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


def _exact(task: Task, scene: Scene, answers: np.ndarray[Any, Any], last: tuple[int, Copy]) -> tuple[Measurement, ...]:
    """On how many rows a copy that was solved, not fitted, gives the victim's own score."""
    queries, copy = last
    if not hasattr(copy, "told"):
        return ()
    same = np.abs(copy.scores(scene.x) - flagged_score(answers, scene.kind)) < _SAME
    found = measure_rate(
        task.plugin,
        "exact_scores",
        int(same.sum()),
        len(same),
        better=Better.LOWER,
        queries=queries,
        caveats=(f"{copy.told}, by {queries:,} queries",),
    )
    return (found,)


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


def _to_level(task: Task, measurements: Sequence[Measurement]) -> Measurement:
    """Queries until the copy has nine tenths of what the victim ranks better than a coin: what a budget per client has
    to stay below. Between the points of the curve by the logarithm of the queries.
    """
    ratio = next(m for m in measurements if m.metric == "auc_ratio")
    shared: dict[str, Any] = {"plugin": task.plugin, "metric": "queries_to_lift", "unit": "queries", "n": ratio.n}
    shared |= {"better": Better.HIGHER, "queries": ratio.queries, "curve": None}
    coin = dict(ratio.baseline).get("a coin")
    points = ratio.curve.points if ratio.curve is not None else ()
    level = None if coin is None else coin + _LIFT * (1.0 - coin)
    ends = [reached([p.at for p in points], values, level) for values in _ends(points)] if level is not None else []
    if not ends or ends[1] is None:
        reason = f"{ratio.queries:,} queries do not reach {_LIFT:.0%} of the victim's lift{_further(points, level)}"
        return Measurement(value=None, status=Status.INCONCLUSIVE, reason=reason, **shared)
    first, middle, last = ends
    open_end = () if last is not None else ("the upper end is the query budget: the lower curve does not get there",)
    return Measurement(
        value=middle,
        low=first,
        high=last if last is not None else float(ratio.queries),
        method="log-linear between the points of the curve, and of its interval's ends",
        caveats=(
            f"a thief with ten identities gets there where each is answered {math.ceil((first or 0.0) / 10):,} rows",
            *open_end,
        ),
        **shared,
    )


def _further(points: Sequence[Point], level: float | None) -> str:
    """How many queries it would take, by the last two points of the curve."""
    if level is None or len(points) < 2 or points[-1].value <= points[-2].value:
        return ""
    before, last = points[-2:]
    steps = (level - last.value) / (last.value - before.value)
    needed = math.log(last.at) + steps * math.log(last.at / before.at)
    if needed > math.log(_FAR):
        return "; nor would a million, if the curve went on as it did"
    return f"; about {math.exp(needed):,.0f} would, if the curve went on as it did"


def _ends(points: Sequence[Point]) -> list[list[float]]:
    """The upper, the middle and the lower curve: the best case for the thief first."""
    return [[p.high for p in points], [p.value for p in points], [p.low for p in points]]


def _findings(task: Task, world: World, measurements: Sequence[Measurement], opened: str) -> tuple[Finding, ...]:
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
    asked = {"extraction.surrogate": "made-up", "extraction.natural": "natural"}.get(task.plugin, "chosen")
    flags = "flags" if world.target.classes == 2 else "decisions"
    finding = Finding(
        id=weakness(task.plugin, "f1"),
        title=f"A copy of the model can be had for {close.queries:,} queries (F1 {close.value:.2f})",
        plugin=task.plugin,
        metric=close.name,
        severity="high" if close.value >= 0.8 else "medium" if close.value >= 0.65 else "low",
        scenario=task.scenario,
        detail=f"{close.queries:,} {asked} rows give a copy that shares the model's {flags} with F1 {close.value:.2f} "
        f"({close.low:.2f} to {close.high:.2f}, {close.n:,} rows){lift}; a model fitted without queries has F1 "
        f"{own:.2f}. Raw agreement is {raw:.1%} and says little where flags are rare. It answers with {opened}. "
        "Rounding scores or returning labels only slows this; a query budget per client, below the curve, limits it.",
        defences=against(task, world),
    )
    return (finding,)
