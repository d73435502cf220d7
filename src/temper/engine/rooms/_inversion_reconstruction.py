"""What reconstructions from a net's weights say: figures, a finding, and what a defence changed in them."""

from __future__ import annotations

import math

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.defence import Effect
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.engine.identity import weakness
from temper.engine.task import Part, Task, World, clock
from temper.judges._pooled import student
from temper.judges.nearness import AVERAGE, METRICS, Nearness, Reconstructions, distances, log_ratios

__all__ = ["METRICS", "effects", "part"]
_LOGS = "log ratio of distances"


def part(task: Task, world: World, scene: Scene, payload: Reconstructions, known: int, started: float) -> Part:
    """The measurements, the finding, and the ratio of every class."""
    measurements = Nearness(plugin=task.plugin).judge(scene, Outcome(scores=None, y=scene.y, payload=payload))
    far = distances(scene, payload)
    return Part(
        measurements=measurements,
        findings=_findings(task, world, *measurements),
        evidence={"ids": far.classes, _LOGS: log_ratios(far)},
        seconds=clock() - started,
        queries=payload.queries,
    )


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """The ratio before and after, paired over classes; a larger one is better."""
    if any(_LOGS not in one.evidence for one in (before, after)):
        return ()
    sides = [one.evidence[_LOGS] for one in (before, after)]
    if not np.array_equal(before.evidence["ids"], after.evidence["ids"]):
        return ()
    moved = sides[1] - sides[0]
    n = len(moved)
    low, high = (
        student(float(moved.mean()), [(float(moved.var(ddof=1)) / n, n - 1)]) if n > 1 else (-math.inf, math.inf)
    )
    ends = [math.exp(float(side.mean())) for side in sides]
    effect = Effect(
        defence=defence,
        metric=before.measurements[0].name,
        before=ends[0],
        after=ends[1],
        difference=ends[1] - ends[0],
        low=ends[0] * math.expm1(low),
        high=ends[0] * math.expm1(min(high, 700.0)),
        n=n,
        better="higher",
        verdict="better" if low > 0 else "worse" if high < 0 else "no clear change",
    )
    return (effect,)


def _findings(task: Task, world: World, ratio: Measurement, distance: Measurement) -> tuple[Finding, ...]:
    if ratio.status is not Status.OK or ratio.value is None or ratio.high is None or ratio.high >= 1.0:
        return ()
    beside = dict(distance.baseline)
    detail = (
        f"Inputs made from the net's weights lie {distance.value:.3g} from the nearest training record of their class, "
        f"{beside['held-out records']:.3g} from the nearest of as many held-out ones, {beside[AVERAGE]:.3g} from the "
        f"class's average (ratio {ratio.low:.2f} to {ratio.high:.2f}, {ratio.n} classes). "
        f"{ratio.caveats[0]}. More rows per class, stopping earlier and weight decay bring the ratio to 1."
    )
    finding = Finding(
        id=weakness(task.plugin, "ratio"),
        title=f"The weights give away what training records look like (distance ratio {ratio.value:.2f})",
        plugin=task.plugin,
        metric=ratio.name,
        severity="high" if ratio.value <= 0.5 else "medium" if ratio.value <= 0.8 else "low",
        scenario=task.scenario,
        detail=detail,
    )
    return (finding,)
