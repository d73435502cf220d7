"""What the guesses of a membership attack say: figures, a finding, and what a defence changed in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.defence import Effect
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.engine.effect import rates
from temper.engine.identity import weakness
from temper.engine.rooms._defences import against
from temper.engine.task import Part, Task, World, clock
from temper.judges._members import LEVELS, called, exposed, p_values
from temper.judges._pooled import area, paired_area_loss
from temper.judges.advantage import TWIN, Advantage, Guesses, Membership

METRICS = ("auc", "tpr_at_1pct", "tpr_at_01pct")
_SLICES = {"all": "", TWIN: f" [{TWIN}]"}


def part(task: Task, world: World, scene: Scene, payload: Membership, known: int, started: float) -> Part:
    """The measurements, the finding, and per row what `effects` pairs later."""
    seen = replace(payload, duplicates=payload.duplicates + known)
    judge = Advantage(plugin=task.plugin, rng=world.rng(task).child("judge"))
    measurements = judge.judge(scene, Outcome(scores=seen.score, y=seen.y, payload=seen))
    findings = _findings(task, world, measurements, seen)
    return Part(
        measurements=measurements, findings=findings, evidence=_evidence(seen, measurements), seconds=clock() - started
    )


def effects(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """Members found before and after at the same false-positive rate, and the areas; for the model and its recipe.

    Where the deployed model's figures are inconclusive, because its rows can be told apart without it, only the recipe
    on random halves is compared.
    """
    found: list[Effect] = []
    for label, words in _SLICES.items():
        sides = [_side(part, label) for part in (before, after)]
        if all(sides):
            found += _changed(defence, words, *sides)
    return tuple(found)


def _side(part: Part, label: str) -> dict[str, Any]:
    """What a run left about one slice, {} where its figures do not stand."""
    if f"{label} score" not in part.evidence:
        return {}
    kept = {name: part.evidence[f"{label} {name}"] for name in ("ids", "member", "score")}
    return kept | {"plugin": part.measurements[0].plugin}


def _changed(defence: str, words: str, before: dict[str, Any], after: dict[str, Any]) -> list[Effect]:
    member = before["member"]
    if not np.array_equal(before["ids"], after["ids"]) or not np.array_equal(member, after["member"]):
        return []
    found = []
    for metric, rate, needed in LEVELS:
        if np.count_nonzero(~member) >= needed:
            hit = [called(member, side["score"], rate)[member] for side in (before, after)]
            found.append(rates(defence, f"{before['plugin']}.{metric}{words}", hit[0], hit[1], "lower"))
    lost, low, high = paired_area_loss(member.astype(int), before["score"][None], after["score"][None])
    ends = [area(member, side["score"])[0] for side in (before, after)]
    found.append(
        Effect(
            defence=defence,
            metric=f"{before['plugin']}.auc{words}",
            before=ends[0],
            after=ends[1],
            difference=-lost,
            low=-high,
            high=-low,
            n=len(member),
            verdict="better" if low > 0 else "worse" if high < 0 else "no clear change",
        )
    )
    return found


def _evidence(seen: Membership, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Per slice whose figures stand: the ids, who is a member, and the scores; per member its p-value."""
    void = {m.slice for m in measurements if m.metric == "auc" and m.status is not Status.OK}
    sides = {"all": Guesses(member=seen.member, score=seen.score, loss=seen.loss), TWIN: seen.twin}
    kept: dict[str, Any] = {
        f"{label} {name}": values
        for label, side in sides.items()
        if side is not None and label not in void
        for name, values in (("ids", seen.ids), ("member", side.member), ("score", side.score))
    }
    return kept | {"ids": seen.ids[seen.member], "p_values": p_values(seen.member, seen.score)}


def _findings(task: Task, world: World, measurements: Sequence[Measurement], seen: Membership) -> tuple[Finding, ...]:
    """A finding when the attack is surely better than guessing, on the deployed model or on its recipe."""
    whole = [m for m in measurements if m.slice in _SLICES and m.status is Status.OK]
    by_metric = {m.metric: m for m in reversed(whole)}  # the deployed model's first
    area_of, rate = by_metric.get("auc"), by_metric.get("tpr_at_1pct")
    if area_of is None or area_of.value is None or area_of.low is None or area_of.high is None:
        return ()
    told = rate.value if rate is not None and rate.value is not None else 0.0
    surely = rate is not None and rate.low is not None and rate.low > 2 * 0.01
    if area_of.low <= max(0.52, dict(area_of.baseline)["permuted labels, upper end"]) and not surely:
        return ()
    by = f"{len(seen.references)} reference models" if len(seen.references) else "no reference model"
    detail = (
        f"A membership attack with {by} ranks training rows above others with "
        f"AUC {area_of.value:.3f} ({area_of.low:.3f} to {area_of.high:.3f}, {area_of.n:,} rows); the loss attack most "
        f"tools run gives {dict(area_of.baseline)['loss attack']:.3f}. {_reach(rate)}{_standing_out(area_of, seen)}"
        "Restraining the fit (shallower, slower, subsampled) or learning from out-of-fold answers removes most of it; "
        "rounding scores does not."
    )
    finding = Finding(
        id=weakness(task.plugin, "auc"),
        title=f"Training rows can be recognised (AUC {area_of.value:.2f})",
        plugin=task.plugin,
        metric=area_of.name,
        severity="high" if told >= 0.1 or area_of.value >= 0.75 else "medium" if told >= 0.03 else "low",
        scenario=task.scenario,
        detail=detail,
        defences=against(task, world),
    )
    return (finding,)


def _reach(rate: Measurement | None) -> str:
    if rate is None or rate.value is None or rate.low is None or rate.high is None:
        return "There are too few held-out rows for a rate at 1 % false positives. "
    return f"At 1 % false positives it finds {rate.value:.1%} of them ({rate.low:.1%} to {rate.high:.1%}). "


def _standing_out(area_of: Measurement, seen: Membership) -> str:
    if area_of.slice != "all":
        return "This is a refit of the same recipe, not the deployed model. "
    count = len(exposed(seen.member, seen.score))
    return f"{count:,} training rows stand out one by one (false discovery rate 5 %). " if count else ""
