"""One stressor against the target: a curve over severities, the worst column, and what breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.finding import Finding
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.target import ScoreKind, Target
from temper.engine.identity import finding_id
from temper.engine.task import Part, Task, World, clock
from temper.kernels.loss import decide
from temper.kernels.rate import measure_rate, wilson
from temper.stress._choice import SEVERITIES, features
from temper.stress._drop import Drop, Yardstick
from temper.validation.gate import NOT_APPLICABLE

GATED = 3  # the severity whose figures requirements speak of
MATERIAL = 0.02  # a drop that a finding is worth
_CELLS = 4_000_000  # numbers sent to the target in one call: 32 MB
_RANKED = 2_000  # rows on which columns are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One stressor on one set of rows: what it is called, the scores before, and the yardstick."""

    plugin: str
    stressor: Any  # a Stressor, and a dataclass
    scene: Scene
    target: Target
    clean: Array
    yardstick: Yardstick
    task: Task
    world: World

    @property
    def name(self) -> str:
        """What requirements refer to: "stress.missing"."""
        return f"stress.{self.plugin}"


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
    part = _measured(trial)
    return replace(part, seconds=clock() - start, queries=part.queries + len(scene.x))


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


def _measured(trial: Trial) -> Part:
    draws = trial.world.rng(trial.task, trial.scene.ids)
    stressed = (trial.stressor.apply(trial.scene.x, severity, draws) for severity in SEVERITIES)
    answers = list(_ask(trial.target, stressed))
    asked = len(SEVERITIES) * len(trial.scene.x)
    for severity, answer in zip(SEVERITIES, answers, strict=True):
        if isinstance(answer, str):
            return _broken(trial, severity, answer, asked)
    measured = [_loss(trial, answers)]
    if trial.scene.kind is not ScoreKind.VALUE:
        measured.append(_flips(trial, answers))
    worst, more = _worst_column(trial)
    measured = [*measured, _first(measured[0], trial, answers), *worst]
    return Part(measurements=tuple(measured), findings=_findings(trial, measured), queries=asked + more)


# -- asking ---------------------------------------------------------------------------------------------------------


def _ask(target: Target, batches: Iterator[Array]) -> Iterator[Array | str]:
    """Scores per batch, or what went wrong with it; several batches share one call within a memory bound."""
    held: list[Array] = []
    for batch in batches:
        held.append(batch)
        if sum(part.size for part in held) + batch.size > _CELLS:
            yield from _together(target, held)
            held = []
    yield from _together(target, held)


def _together(target: Target, held: Sequence[Array]) -> list[Array | str]:
    if not held:
        return []
    if len(held) == 1:
        return [_one(target, held[0])]
    ends = np.cumsum([len(part) for part in held])[:-1]
    scores = _one(target, np.concatenate(held))
    if isinstance(scores, str):
        return [_one(target, part) for part in held]  # which of them is it?
    return list(np.split(scores, ends))


def _one(target: Target, x: Array) -> Array | str:
    try:
        scores = np.asarray(target.scores(x))
    except Exception as crash:  # whatever a model raises here is the result of the test
        return f"the model raised {type(crash).__name__}: {str(crash).splitlines()[0] if str(crash) else 'no message'}"
    lost = int((~np.isfinite(scores)).reshape((len(scores), -1)).any(axis=1).sum())
    return f"{lost:,} of {len(scores):,} rows got no finite score" if lost else scores


# -- figures --------------------------------------------------------------------------------------------------------


def _loss(trial: Trial, answers: Sequence[Any]) -> Measurement:
    y, yard = trial.scene.y, trial.yardstick
    rng = trial.world.rng(trial.task).child("bootstrap").generator()
    gated = yard.bootstrap(y, trial.clean, answers[GATED - 1], rng, trial.world.sizes.replicates, 0.95)
    drops = [yard.drop(y, trial.clean, answer) for answer in answers]
    points = [Point(at=0, value=0.0, low=0.0, high=0.0, n=len(y))]
    points += [_point(s, d, len(y)) for s, d in zip(SEVERITIES, drops, strict=True)]
    clean = yard.figure(y, trial.clean)
    return Measurement(
        plugin=trial.name,
        metric="loss",
        value=gated.value,
        low=gated.low,
        high=gated.high,
        n=len(y),
        unit=f"drop in {yard.name}",
        better=Better.LOWER,
        method=f"{gated.method}; bands of the curve: {drops[0].method}",
        baseline=((f"clean {yard.name}", clean), ("severity 0", 0.0)),
        caveats=(f"at severity {GATED} of {len(SEVERITIES)}",),
        curve=Curve(name=f"{trial.plugin}: loss", axis="severity", unit=f"drop in {yard.name}", points=tuple(points)),
        simulated=trial.world.system.simulated,
    )


def _flips(trial: Trial, answers: Sequence[Any]) -> Measurement:
    kind, threshold = trial.scene.kind, trial.scene.threshold
    before = decide(trial.clean, kind, threshold)
    counts = [int((decide(answer, kind, threshold) != before).sum()) for answer in answers]
    n = len(before)
    points = [Point(at=0, value=0.0, low=0.0, high=0.0, n=n)]
    for severity, count in zip(SEVERITIES, counts, strict=True):
        low, high = wilson(count, n)
        points.append(Point(at=severity, value=count / n, low=low, high=high, n=n))
    return measure_rate(
        trial.name,
        "flip_rate",
        counts[GATED - 1],
        n,
        better=Better.LOWER,
        unit="share of decisions",
        baseline=(("severity 0", 0.0),),
        caveats=(f"at severity {GATED} of {len(SEVERITIES)}",),
        curve=Curve(name=f"{trial.plugin}: flips", axis="severity", unit="share of decisions", points=tuple(points)),
        simulated=trial.world.system.simulated,
    )


def _first(loss: Measurement, trial: Trial, answers: Sequence[Any]) -> Measurement:
    """The first severity whose drop is significant, over five looks at 1 % each."""
    sure = 1 - 0.05 / len(SEVERITIES)
    drops = [trial.yardstick.drop(trial.scene.y, trial.clean, answer, sure) for answer in answers]
    found = [severity for severity, drop in zip(SEVERITIES, drops, strict=True) if drop.low > 0]
    return Measurement(
        plugin=trial.name,
        metric="first_severity",
        value=float(found[0]) if found else None,
        n=loss.n,
        unit="severity",
        better=Better.HIGHER,
        method=f"{drops[0].method}, Bonferroni over {len(SEVERITIES)} severities",
        caveats=() if found else (f"no significant drop up to severity {SEVERITIES[-1]} at n = {loss.n}",),
        simulated=loss.simulated,
    )


def _point(severity: int, drop: Drop, n: int) -> Point:
    return Point(at=severity, value=drop.value, low=drop.low, high=drop.high, n=n)


# -- the worst column -----------------------------------------------------------------------------------------------


def _worst_column(trial: Trial) -> tuple[tuple[Measurement, ...], int]:
    """The column whose stress alone costs most: chosen on one half of the rows, measured on the other."""
    names = _single(trial)
    y, (chosen, kept) = trial.scene.y, _halves(trial)
    if not names or any(trial.yardstick.lack(y[rows]) for rows in (chosen, kept)):
        return (), 0
    answers = list(_ask(trial.target, (_alone(trial, name, chosen) for name in names)))
    values = [_drop_or_worst(trial, answer, chosen) for answer in answers]
    order = np.argsort(values)[::-1]
    worst = names[order[0]]
    answer = next(_ask(trial.target, iter([_alone(trial, worst, kept)])))
    asked = len(chosen) * len(names) + len(kept)
    if isinstance(answer, str):
        return (_error(trial, "worst_column_loss", answer, slice=f"column:{worst}"),), asked
    drop = trial.yardstick.drop(y[kept], trial.clean[kept], answer)
    others = tuple((names[i], float(values[i])) for i in order[1:5])
    measured = Measurement(
        plugin=trial.name,
        metric="worst_column_loss",
        value=drop.value,
        low=drop.low,
        high=drop.high,
        n=len(kept),
        unit=f"drop in {trial.yardstick.name}",
        better=Better.LOWER,
        slice=f"column:{worst}",
        method=drop.method,
        baseline=others,
        caveats=(f"severity {SEVERITIES[-1]}; worst of {len(names)} on {len(chosen):,} other rows",),
        simulated=trial.world.system.simulated,
    )
    return (measured,), asked


def _single(trial: Trial) -> list[str]:
    """The features on which the stressor can work alone."""
    if not {"schema", "columns"} <= {field.name for field in fields(trial.stressor)}:
        return []
    if trial.scene.x.ndim != 2 or not trial.scene.schema.columns:
        return []
    chosen = getattr(trial.stressor, "columns", ())
    names = [feature.name for feature in features(trial.scene.schema, trial.scene.x[:2], chosen)]
    return [name for name in names if _works(trial, name)]


def _works(trial: Trial, name: str) -> bool:
    try:
        _alone(trial, name, np.arange(2))
    except Unsupported:
        return False
    return True


def _alone(trial: Trial, name: str, rows: Any) -> Array:
    stressor = replace(trial.stressor, columns=(name,))
    draws = trial.world.rng(trial.task, trial.scene.ids[rows])
    stressed: Array = stressor.apply(trial.scene.x[rows], SEVERITIES[-1], draws)
    return stressed


def _halves(trial: Trial) -> tuple[Any, Any]:
    """Every second row, thinned to what a comparison needs (the rarer class first), and all the others."""
    even, odd = np.arange(0, len(trial.scene.y), 2), np.arange(1, len(trial.scene.y), 2)
    if len(even) <= _RANKED:
        return even, odd
    rare = trial.scene.y[even] == 1 if trial.yardstick.name == "AUC" else np.zeros(len(even), dtype=bool)
    if rare.mean() > 0.5:
        rare = ~rare
    ones = even[rare][: _RANKED // 2]
    rest = even[~rare]
    thinned = rest[:: max(1, len(rest) // (_RANKED - len(ones)))]
    return np.sort(np.concatenate((ones, thinned))), odd


def _drop_or_worst(trial: Trial, answer: Array | str, rows: Any) -> float:
    if isinstance(answer, str):
        return np.inf
    y = trial.scene.y[rows]
    return trial.yardstick.figure(y, trial.clean[rows]) - trial.yardstick.figure(y, answer)


# -- what breaks ----------------------------------------------------------------------------------------------------


def _error(trial: Trial, metric: str, reason: str, **more: Any) -> Measurement:
    return Measurement(
        plugin=trial.name,
        metric=metric,
        value=None,
        n=len(trial.scene.y),
        better=Better.LOWER,
        status=Status.ERROR,
        reason=reason,
        simulated=trial.world.system.simulated,
        **more,
    )


def _broken(trial: Trial, severity: int, message: str, asked: int) -> Part:
    reason = f"at severity {severity}: {message}"
    metrics = ("loss",) if trial.scene.kind is ScoreKind.VALUE else ("loss", "flip_rate")
    found = Finding(
        id=finding_id(trial.name, "error", trial.world.system),
        title=f"the model stops working under {trial.plugin.replace('_', ' ')}",
        plugin=trial.name,
        metric="loss",
        severity="high",
        detail=reason,
    )
    return Part(measurements=tuple(_error(trial, m, reason) for m in metrics), findings=(found,), queries=asked)


def _findings(trial: Trial, measured: Sequence[Measurement]) -> tuple[Finding, ...]:
    """A finding where even the favourable end of a drop is material."""
    loss = measured[0]
    columns = [m for m in measured if m.metric == "worst_column_loss"]
    severe = [m for m in (loss, *columns) if m.status is Status.ERROR or (m.low is not None and m.low > MATERIAL)]
    if not severe:
        return ()
    said = "; ".join(_said(m) for m in severe)
    worst = max((m.low or 0.0 for m in severe), default=0.0)
    return (
        Finding(
            id=finding_id(trial.name, "loss", trial.world.system),
            title=_title(trial, severe[0], columns),
            plugin=trial.name,
            metric=severe[0].metric,
            severity="high" if worst > 5 * MATERIAL or severe[-1].status is Status.ERROR else "medium",
            detail=said,
        ),
    )


def _title(trial: Trial, worst: Measurement, columns: Sequence[Measurement]) -> str:
    what = trial.plugin.replace("_", " ").capitalize()
    lost = f"{worst.unit} of {worst.value:.3f}" if worst.value is not None else "the model stops working"
    return f"{what}: {lost}" + "".join(f", worst column {m.slice.removeprefix('column:')}" for m in columns)


def _said(m: Measurement) -> str:
    where = "all columns" if m.slice == "all" else m.slice.replace(":", " ")
    if m.value is None or m.low is None or m.high is None:
        return f"{where}: {m.reason}"
    return f"{where}: {m.unit} {m.value:.3f} [{m.low:.3f}, {m.high:.3f}], n = {m.n:,} ({m.caveats[0]})"
