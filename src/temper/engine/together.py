"""What the attacks and certificates of a run say together: the strongest attack, the bound above it, contradictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.budget import Budget
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.requirement import Judgement, Requirement, Verdict
from temper.core.target import Access
from temper.engine.doubt import BASELINE, outdone
from temper.engine.task import Part, Task, World
from temper.kernels.rate import measure_rate, wilson

STRONGEST, BOUND = "evasion.strongest", "evasion.bound"
AGREE = Requirement(
    id="attacks-and-certificates-agree",
    metric="evasion.contradictions.rows",
    at_most=0,
    severity="critical",
    reason="A row that is proven to hold and broken all the same means that a proof or an attack is wrong.",
)
_SLACK = 1e-6
_TINY = 1e-300
_OWN = ", within the limits of each attack"
_MODEL = "model"
_POINTS = 11

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """One plugin under one budget: its first task, what it measured, its merged evidence by the rows' ids."""

    task: Task
    measured: tuple[Measurement, ...]
    evidence: dict[str, Rows]


def group(task: Task, parts: Sequence[Part], measured: tuple[Measurement, ...]) -> Group:
    """The evidence of the parts one behind the other, as far as all of them have it."""
    kept = [part.evidence for part in parts if part.evidence]
    names = set.intersection(*(set(evidence) for evidence in kept)) - {"twin"} if kept else set()
    merged = {name: np.concatenate([np.atleast_1d(evidence[name]) for evidence in kept]) for name in names}
    return Group(task=task, measured=measured, evidence=merged)


def together(
    groups: Sequence[Group], world: World
) -> tuple[tuple[Measurement, ...], tuple[Measurement, ...], tuple[Judgement, ...]]:
    """(every measurement of the groups, doubted where a weaker attacker did better; what they say together; alarms)."""
    own: list[Measurement] = []
    joint: list[Measurement] = []
    alarms: list[Judgement] = []
    for attacks, proofs, rest in _by_budget(groups):
        doubted = [_doubted(one, attacks, world) for one in attacks]
        own += [m for one in (*doubted, *proofs, *rest) for m in one.measured]
        if len(attacks) > 1 or (attacks and proofs):
            joint += _joint(doubted, proofs, world)
        alarms += [alarm for proof in proofs for one in attacks if (alarm := _contradiction(one, proof))]
    order = {id(m): at for at, m in enumerate(m for one in groups for m in one.measured)}
    own.sort(key=lambda m: order.get(id(m), -1))
    return tuple(own), tuple(joint), tuple(alarms)


def _by_budget(groups: Sequence[Group]) -> list[tuple[list[Group], list[Group], list[Group]]]:
    """Attacks and proofs that speak of the same rows and ball, whoever attacks; everything else apart."""
    shared: dict[Any, tuple[list[Group], list[Group], list[Group]]] = {}
    others: list[Group] = []
    for one in groups:
        evades = one.task.family == "evasion" and "verdicts" in one.evidence
        if not evades and "certified_radius" not in one.evidence:
            others.append(one)
            continue
        budget = one.task.budget
        key = (budget.norm, budget.radius, budget.cost)
        if evades or len(one.evidence["certified_radius"]):
            shared.setdefault(key, ([], [], []))[0 if evades else 1].append(one)
        else:
            others.append(one)
    return [*shared.values(), ([], [], others)]


def _doubted(one: Group, attacks: Sequence[Group], world: World) -> Group:
    """An attack that holds the model and breaks fewer rows than one that only asks it has been led astray.

    Only within one ball: a sticker and a turned camera have limits of their own, and neither outdoes the other.
    """
    if _limit(one.task.budget) is None or not _knows(one, world):
        return one
    broken = one.evidence["verdicts"] == "broken"
    better = [
        other
        for other in attacks
        if not _knows(other, world)
        and len(other.evidence["verdicts"]) == len(broken)
        and outdone(broken, other.evidence["verdicts"] == "broken")
    ]
    if not better:
        return one
    names = ", ".join(f"{o.task.plugin} ({(o.evidence['verdicts'] == 'broken').sum()} rows)" for o in better)
    doubt = f"with the model in hand it broke {broken.sum()} rows, fewer than {names} without: its gradients mislead"
    return replace(one, measured=tuple(_add_doubt(m, doubt) for m in one.measured))


def _add_doubt(m: Measurement, doubt: str) -> Measurement:
    if m.metric != "success_rate" or m.status not in (Status.OK, Status.INCONCLUSIVE):
        return m
    return replace(m, status=Status.INCONCLUSIVE, reason="; ".join(filter(None, (m.reason, doubt))))


def _knows(one: Group, world: World) -> bool:
    """Whether the attack reads the model itself."""
    needs: Access = world.room("attacks").get(one.task.plugin).needs
    return bool(needs & (Access.TREES | Access.GRADIENTS))


def _joint(attacks: Sequence[Group], proofs: Sequence[Group], world: World) -> list[Measurement]:
    """The worst of all attacks row by row and, above it, what the certificates leave possible."""
    task = attacks[0].task
    sure = [one for one in attacks if any(m.status is Status.OK and m.metric == "success_rate" for m in one.measured)]
    ids = np.unique(np.concatenate([one.evidence["ids"] for one in attacks]))
    broken, held, distance = _union(attacks, sure, ids)
    n = len(ids)
    rate = measure_rate(
        STRONGEST,
        "success_rate",
        int(broken.sum()),
        n,
        undecided=int((~broken & ~held).sum()),
        unit="share of rows",
        slice=_slice(attacks) + ("" if _limit(task.budget) is not None else _OWN),
        queries=sum(int(one.evidence["queries"].sum()) for one in attacks),
        seconds=sum(m.seconds for one in attacks for m in one.measured if m.metric == "success_rate"),
        status=Status.OK if sure else Status.INCONCLUSIVE,
        reason="" if sure else "every attack failed a check of its own power",
        caveats=(f"a row counts when any of {len(attacks)} attacks broke it: {_listed(attacks)}",),
        curve=_curve(STRONGEST, distance, task.budget, n),
        simulated=world.system.simulated,
    )
    nearest = dict(zip(ids.tolist(), distance.tolist(), strict=True))
    return [rate, *(_bound(proof, nearest, rate) for proof in proofs if _about_model(proof) and _limit(task.budget))]


def _slice(attacks: Sequence[Group]) -> str:
    """The actor, where there are several and this ball is only his."""
    names = {m.slice for one in attacks for m in one.measured if m.metric == "success_rate"}
    return names.pop() if len(names) == 1 else "all"


def _union(attacks: Sequence[Group], sure: Sequence[Group], ids: Rows) -> tuple[Rows, Rows, Rows]:
    """Per row: broken by any, held by one that has shown its power, and the nearest success."""
    distance = np.full(len(ids), np.inf)
    held = np.zeros(len(ids), dtype=bool)
    for one in attacks:
        at, verdicts = np.searchsorted(ids, one.evidence["ids"]), one.evidence["verdicts"]
        reached = np.where(verdicts == "broken", np.asarray(one.evidence["distance"], float), np.inf)
        distance[at] = np.minimum(distance[at], reached)
        held[at] |= (verdicts == "held") & any(one is other for other in sure)
    broken = np.isfinite(distance)
    return broken, held & ~broken, distance


def _bound(proof: Group, nearest: dict[int, float], rate: Measurement) -> Measurement:
    """The share of rows that no proof excludes; between it and the attacks lies what nobody knows."""
    radius, budget = np.asarray(proof.evidence["certified_radius"], float), proof.task.budget
    limit = _limit(budget) or 0.0
    possible = radius < limit * (1 - _SLACK)
    broken = np.isfinite([nearest.get(int(sample), np.inf) for sample in proof.evidence["certified_ids"]])
    gap = int((possible & ~broken).sum())
    n = len(radius)
    said = f"undecided between the strongest attack and the proof: {gap} of {n} rows ({gap / n:.1%})"
    return measure_rate(
        BOUND,
        "possible_success",
        int(possible.sum()),
        n,
        unit="share of rows",
        slice=rate.slice,
        better=Better.LOWER,
        baseline=(("broken by the strongest attack", rate.value or 0.0),),
        caveats=(f"no attack within the budget can break more, by {proof.task.plugin}; {said}",),
        curve=_curve(BOUND, np.maximum(radius * (1 + 2 * _SLACK), _TINY), budget, n),  # possible just beyond it
        simulated=rate.simulated,
    )


def _contradiction(one: Group, proof: Group) -> Judgement | None:
    """Rows that are broken nearer than they are proven to hold."""
    if not _about_model(proof):
        return None
    ids = {int(sample): at for at, sample in enumerate(proof.evidence["certified_ids"])}
    at = np.array([ids.get(int(sample), -1) for sample in one.evidence["ids"]])
    radius = np.where(at >= 0, np.asarray(proof.evidence["certified_radius"], float)[at], 0.0)
    near = (one.evidence["verdicts"] == "broken") & (
        np.asarray(one.evidence["distance"], float) < radius * (1 - _SLACK)
    )
    if not near.any():
        return None
    rows = ", ".join(str(sample) for sample in one.evidence["ids"][near][:5])
    return Judgement(
        requirement=AGREE,
        verdict=Verdict.ERROR,
        measured=AGREE.metric,
        value=float(near.sum()),
        n=len(near),
        explanation=f"Soundness alarm: {one.task.plugin} broke {near.sum()} rows within the radius that "
        f"{proof.task.plugin} certifies (rows {rows}). Neither figure can be trusted; please report it.",
    )


def _about_model(proof: Group) -> bool:
    return str(proof.evidence["certified_subject"][0]) == _MODEL


def _limit(budget: Budget) -> float | None:
    """The end of the ball in the budget's own norm."""
    return budget.cost if budget.norm == "cost" and budget.cost is not None else budget.radius


def _curve(name: str, distance: Rows, budget: Budget, n: int) -> Curve | None:
    limit = _limit(budget)
    if not limit:
        return None
    axis = "cost to the attacker" if budget.norm == "cost" else f"{budget.norm} radius"
    points = []
    for at in np.linspace(0, limit, _POINTS):
        count = int((distance <= at * (1 + _SLACK)).sum())
        low, high = wilson(count, n)
        points.append(Point(at=float(at), value=count / n, low=low, high=high, n=n))
    return Curve(name=name, axis=axis, unit="share of rows", points=tuple(points))


def _listed(attacks: Sequence[Group]) -> str:
    return ", ".join(one.task.plugin.partition(".")[2] for one in attacks if one.task.plugin != BASELINE)
