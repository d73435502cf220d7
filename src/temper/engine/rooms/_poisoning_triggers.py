"""Backdoors: excess success per dose, the dose that opens half of the door, and what the finding says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.finding import Finding
from temper.core.measure import Better, Curve, Measurement, Point
from temper.engine.fitting import trained_here
from temper.engine.identity import weakness
from temper.engine.rooms._defences import against
from temper.engine.rooms._poisoning_twins import Stamped, Twins
from temper.engine.task import Task, World
from temper.judges.backdoor import Backdoor, Planted, crossing, hits
from temper.kernels.loss import decide

METRICS = ("excess_success", "rate_to_half", "clean_recall_loss", "clean_auc_loss")
_HALF = 0.5
_SERIOUS, _NOTABLE = 0.5, 0.2


def measure(task: Task, plugin: Any, scene: Scene, twins: Twins) -> tuple[Measurement, ...]:
    """Per dose what the trigger does and what the poison costs, headed by the figures at the largest dose."""
    judge = Backdoor(plugin=task.plugin)
    found = [line for share in twins.stamped for line in judge.judge(scene, _outcome(scene, twins, share))]
    series = {name: [m for m in found if m.metric == name] for name in dict.fromkeys(m.metric for m in found)}
    heads = [replace(lines[-1], slice="all", curve=_curve(lines)) for lines in series.values()]
    excess = series.get("excess_success", [])
    return (*heads, *_rate_to_half(excess), *found)


def evidence(plugin: Any, scene: Scene, twins: Twins) -> dict[str, Any]:
    """Per row and repeat at the largest dose: whether the stamp gives the trigger's class, and which rows count."""
    if not twins.stamped:
        return {}
    rows, poisoned, clean = hits(scene, _outcome(scene, twins, max(twins.stamped)))
    return {"ids": np.asarray(scene.ids), "counts": rows, "poisoned": poisoned > 0, "clean": clean > 0}


def findings(task: Task, world: World, measurements: Sequence[Measurement]) -> list[Finding]:
    """A finding when the whole interval of the excess lies above zero."""
    head = next((m for m in measurements if m.metric == "excess_success" and m.slice == "all"), None)
    if head is None or head.low is None or head.low <= 0.0:
        return []
    value, low, high = float(head.value or 0.0), head.low, float(head.high or 0.0)
    beside = dict(head.baseline)
    aims = getattr(world.room("attacks").get(task.plugin), "aims", False)
    what = "Changed training rows decide {} of 100 others" if aims else "A planted trigger opens {} of 100 rows"
    return [
        Finding(
            id=weakness(task.plugin, head.metric),
            title=f"{what.format(round(100 * value))} beyond a clean twin",
            plugin=task.plugin,
            metric=head.name,
            severity="high" if value >= _SERIOUS else "medium" if value >= _NOTABLE else "low",
            scenario=task.scenario,
            detail=f"{head.caveats[0]}: a model fitted on them decides {beside['poisoned twin']:.1%} of the "
            f"{'chosen' if aims else 'stamped'} rows as the attacker wants, a clean twin {beside['clean twin']:.1%}; "
            f"{100 * value:.1f} points more ({100 * low:.1f} to {100 * high:.1f}, {head.n:,} held-out rows). "
            f"{_notes(head)}",
            defences=against(task, world),
        )
    ]


def _notes(head: Measurement) -> str:
    said = "; ".join(head.caveats[1:])
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _outcome(scene: Scene, twins: Twins, share: float) -> Outcome:
    stamped: Stamped = twins.stamped[share]
    made, whole = stamped.made[0], len(stamped.made)
    seen = Planted(
        rows=made.rows,
        train=0 if scene.train is None else len(scene.train),
        into=made.wanted(scene.ids),
        poisoned=np.stack(twins.poisoned[share]),
        clean=np.stack(twins.clean[:whole]),
        landed=np.stack(stamped.landed),
        label=f"dose {share:.4g}",
        notes=(
            *made.notes,
            *(("another trigger in every repeat",) if len({one.notes for one in stamped.made}) > 1 else ()),
            *stand_in(scene, twins.clean[0]),
        ),
        control=made.control,
        aimed=made.victims is not None,
    )
    return Outcome(scores=np.stack(stamped.poisoned), clean=np.stack(stamped.clean), y=scene.y, payload=seen)


def stand_in(scene: Scene, clean: Any) -> tuple[str, ...]:
    """What to know of twins that Temper's own loop trains in place of the user's: how well they do beside the net."""
    if scene.target is None or not trained_here(scene.target):
        return ()
    rights = [
        float((decide(np.asarray(scores), scene.kind, scene.threshold) == np.asarray(scene.y)).mean())
        for scores in (clean, scene.target.scores(scene.x))
    ]
    return (
        f"twins are trained by Temper's own loop (Adam, new weights): {rights[0]:.1%} of held-out rows right, "
        f"the deployed net {rights[1]:.1%}",
    )


def _curve(series: Sequence[Measurement]) -> Curve | None:
    points = tuple(
        Point(at=float(m.slice.removeprefix("dose ")), value=m.value, low=m.low, high=m.high, n=m.n)
        for m in series
        if m.value is not None and m.low is not None and m.high is not None
    )
    if not points:
        return None
    metric = series[0].metric
    return Curve(name=metric.replace("_", " "), axis="share of training rows", unit="share of rows", points=points)


def _rate_to_half(excess: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """The dose at which half of the rows are opened; its interval is where the curve's own bounds cross."""
    curve = _curve(excess)
    if curve is None:
        return ()
    doses = [point.at for point in curve.points]
    at, soonest, latest = (
        crossing(doses, [getattr(point, end) for point in curve.points], _HALF) for end in ("value", "high", "low")
    )
    reached = at <= doses[-1]
    missed = f"half of the rows are not reached at a dose of up to {doses[-1]:.4g}"
    return (
        Measurement(
            plugin=excess[0].plugin,
            metric="rate_to_half",
            value=at if reached else None,
            low=min(soonest, doses[-1]),
            high=min(latest, 1.0),
            n=excess[-1].n,
            unit="share of training rows",
            better=Better.HIGHER,
            reason="" if reached else missed,
            method="where the dose-response curve and its bounds cross 0.5",
            caveats=() if latest <= 1.0 else ("its lower bound stays below half at every dose tried",),
        ),
    )
