"""Whether models give away a group's share: figures, a finding, and what a defence changed in them."""

from __future__ import annotations

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.defence import Effect
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.engine.effect import rates
from temper.engine.identity import weakness
from temper.engine.task import Part, Task, World, clock
from temper.judges.share import METRICS, Share, Shares

__all__ = ["METRICS", "effects", "part"]
_RIGHT = "share told right"


def part(task: Task, world: World, scene: Scene, payload: Shares, known: int, started: float) -> Part:
    """The measurements, the finding, and which models of the widest gap were told right."""
    measurements = Share(plugin=task.plugin).judge(scene, Outcome(scores=None, y=scene.y, payload=payload))
    widest = payload.rungs[0]
    return Part(
        measurements=measurements,
        findings=_findings(task, world, measurements, payload),
        evidence={"ids": np.arange(len(widest.truth)), _RIGHT: widest.guess == widest.truth},
        seconds=clock() - started,
    )


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """How often the widest gap is told, over models of the same rows."""
    sides = [one.evidence.get(_RIGHT) for one in (before, after)]
    if sides[0] is None or sides[1] is None or len(sides[0]) != len(sides[1]):
        return ()
    return (rates(defence, before.measurements[0].name, sides[0], sides[1], "lower"),)


def _findings(task: Task, world: World, measurements: tuple[Measurement, ...], payload: Shares) -> tuple[Finding, ...]:
    head, told = measurements[0], [rung for rung in payload.rungs if rung.told_apart]
    if head.status is not Status.OK or not told:
        return ()
    least = told[-1]
    detail = (
        f"Of models of this recipe, fitted on {least.rows:,} rows each, an attacker who asks {least.shares[0]:.0%} or "
        f"{least.shares[1]:.0%} is right {(least.guess == least.truth).mean():.0%} of the time ({len(least.truth)} "
        f"models; a coin 50 %). Whoever may ask the model may learn how common {payload.group} is in the data it was "
        "trained on. No defence here is known to hide it; do not serve scores to those who should not know."
    )
    finding = Finding(
        id=weakness(task.plugin, "accuracy"),
        title=f"The model tells the share of {payload.group} to within {least.gap:g}",
        plugin=task.plugin,
        metric=head.name,
        severity="low",
        scenario=task.scenario,
        detail=detail,
    )
    return (finding,)
