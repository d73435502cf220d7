"""What the guesses of a hidden column say: figures, a finding, and what a defence changed in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.defence import Effect
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.engine.identity import weakness
from temper.engine.rooms._defences import against
from temper.engine.task import Part, Task, World, clock
from temper.judges._macro import area_of, paired
from temper.judges.advantage import TWIN
from temper.judges.attribute import COLUMN, METRICS, Attribute, Attributes, column_of

__all__ = ["METRICS", "effects", "part"]
_CONFIDENCE, _LEAST = 0.95, 0.01


def part(task: Task, world: World, scene: Scene, payload: Attributes, known: int, started: float) -> Part:
    """The measurements, the finding, and the guesses about members that `effects` pairs later."""
    measurements = Attribute(plugin=task.plugin).judge(scene, Outcome(scores=None, y=scene.y, payload=payload))
    evidence: dict[str, Any] = {}
    stands = {m.slice for m in measurements if m.status is Status.OK}
    for before, columns in (("", payload.columns), (f"{TWIN}, ", payload.twin)):
        for one in columns:
            rows = f"{before}{COLUMN}{one.column}"
            if rows in stands:
                mine = {"ids": one.ids, "truth": one.truth, "attack": one.attack}
                evidence |= {f"{rows} {name}": values[one.member] for name, values in mine.items()}
    return Part(
        measurements=measurements,
        findings=_findings(task, world, measurements),
        evidence=evidence,
        seconds=clock() - started,
        queries=sum(one.queries for one in (*payload.columns, *payload.twin)),
    )


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """How well each column is guessed on the same members before and after, the one that leaked most first."""
    found = []
    for rows in _slices(before):
        keys = [f"{rows} {key}" for key in ("ids", "truth", "attack")]
        if any(key not in one.evidence for key in keys for one in (before, after)):
            continue
        (ids, truth, attack), (again, same, told) = ([one.evidence[key] for key in keys] for one in (before, after))
        if not np.array_equal(ids, again) or not np.array_equal(truth, same):
            continue
        was, now = area_of(truth, attack), area_of(truth, told)
        value, low, high = paired(was, now, _CONFIDENCE)
        found.append(
            Effect(
                defence=defence,
                metric=f"{before.measurements[0].plugin}.auc [{rows}]",
                before=was.value,
                after=now.value,
                difference=value,
                low=low,
                high=high,
                n=len(ids),
                verdict="better" if high < 0 else "worse" if low > 0 else "no clear change",
            )
        )
    return tuple(found)


def _slices(before: Part) -> list[str]:
    """The columns measured, by how far the attack surely gains on imputation; the deployed model's first."""
    gains = {m.slice: float(m.low or 0.0) for m in before.measurements if m.metric == "gain" and column_of(m)}
    return sorted(gains, key=lambda rows: (rows.startswith(TWIN), -gains[rows]))


def _findings(task: Task, world: World, measurements: Sequence[Measurement]) -> tuple[Finding, ...]:
    """One per column whose guesses are surely better on members than on others and than imputation, of the deployed
    model; where its figures do not stand, of its recipe.
    """
    found: dict[str, Finding] = {}
    for at in range(0, len(measurements), len(METRICS)):
        area, leak, gain, surest = measurements[at : at + len(METRICS)]
        if (name := column_of(leak)) and leak.status is Status.OK and _matters(leak) and _matters(gain):
            found.setdefault(name, _finding(task, world, area, leak, gain, surest))
    return tuple(found.values())


def _finding(
    task: Task, world: World, area: Measurement, leak: Measurement, gain: Measurement, surest: Measurement
) -> Finding:
    column, beside, base = column_of(area), dict(area.baseline), dict(surest.baseline)
    least = min(float(leak.value or 0.0), float(gain.value or 0.0))
    detail = (
        f"Who knows the rest of a training record and its label guesses {column} with AUC {area.value:.3f} "
        f"({area.low:.3f} to {area.high:.3f}, {area.n:,} training rows). Without the model it is "
        f"{beside['imputation']:.3f} (gain {gain.low:+.3f} to {gain.high:+.3f}), on rows the model never saw "
        f"{beside['on others']:.3f} (leak {leak.low:+.3f} to {leak.high:+.3f}). The {surest.caveats[0][4:]}; the "
        f"surest 2 % of its guesses are right {surest.value:.0%} of the time, imputation {base['imputation']:.0%}, "
        f"base rate {base['base rate']:.0%}. Restraining the fit removes most of it."
    )
    if area.slice.startswith(TWIN):
        detail += " This is a refit of the same recipe, not the deployed model."
    return Finding(
        id=weakness(task.plugin, f"gain {column}"),
        title=f"The model gives away {column} of the people it was trained on (AUC {area.value:.2f})",
        plugin=task.plugin,
        metric=gain.name,
        severity="high" if least >= 0.1 else "medium" if least >= 0.03 else "low",
        scenario=task.scenario,
        detail=detail,
        defences=against(task, world),
    )


def _matters(m: Measurement) -> bool:
    """Surely above zero, and by enough to be of any use to somebody."""
    return m.low is not None and m.value is not None and m.low > 0.0 and m.value >= _LEAST
