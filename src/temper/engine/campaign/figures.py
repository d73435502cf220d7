"""What campaigns came to, as figures that a policy can judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from temper.core.campaign import Aim, Objective
from temper.core.evidence import CAMPAIGN
from temper.core.measure import Better, Measurement, Status
from temper.core.requirement import Policy, Requirement
from temper.core.system import Protected
from temper.core.waged import Came, Defended
from temper.engine.campaign.ground import Ground
from temper.engine.campaign.staged import Staged, copies, level
from temper.engine.campaign.wage import Course, Played
from temper.kernels.clustered import bounded_mean
from temper.kernels.rate import apart, measure_rate, wilson
from temper.targets.served import Served

Rows = np.ndarray[Any, Any]
_BARE, UNANSWERED = "no guard, same attackers", "nobody answers"
_JUDGED = 1_000
USUAL = Requirement(
    id="objectives-not-reached",
    metric=f"{CAMPAIGN}.share",
    at_most=0.99,
    slice="*",
    severity="critical",
    reason="What an attacker is after should not be reached with the means that he has.",
)


class Waging(Protocol):
    """What figures read of a campaign, whatever it was waged on."""

    @property
    def ground(self) -> Played:
        """Its field at the end."""

    @property
    def course(self) -> Course:
        """How it went."""

    @property
    def came(self) -> tuple[Came, ...]:
        """What came of each objective."""

    @property
    def bare(self) -> tuple[Came, ...]:
        """The same of its twin without a guard; nothing where that cannot be asked."""

    @property
    def unanswered(self) -> tuple[Came, ...]:
        """The same of its twin that nobody answers; nothing where nobody answers anyway."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fought:
    """One campaign with its rows, its twin against the model alone (nothing where that cannot be asked), its twin that
    nobody answers and what the other side did, where that is asked for.
    """

    seed: int
    ground: Ground
    course: Course
    dealt: Staged
    came: tuple[Came, ...]
    bare: tuple[Came, ...] = ()
    unanswered: tuple[Came, ...] = ()
    defended: Defended | None = None

    @property
    def undecided(self) -> set[int]:
        """Wanted rows that did not pass, and that nobody gave up: never tried, or the campaign was cut."""
        rows = set(range(len(self.dealt.wanted))) - {one.row for one in self.ground.got}
        return rows if self.course.cut else rows - self.ground.tried


def asked_of(policy: Policy) -> Policy:
    """The requirements that speak of campaigns; one of our own where none does."""
    found = tuple(one for one in policy.requirements if one.metric.startswith(f"{CAMPAIGN}."))
    return Policy(
        name=policy.name,
        requirements=found or (USUAL,),
        source=policy.source,
        about=policy.about,
        sources=policy.sources,
    )


def came(ground: Ground, course: Course, dealt: Staged, system: Protected, model: Served) -> tuple[Came, ...]:
    """What is true of each objective, whatever the attackers saw of it."""
    return tuple(
        outcome(at, one, ground, course, _value(one, ground, dealt, system, model))
        for at, one in enumerate(ground.campaign.objectives)
    )


def slices(objectives: Sequence[Objective]) -> list[str]:
    """What the figures of each are called: by its aim, with a number where there are several of one."""
    aims = [one.aim.value for one in objectives]
    return [aim if aims.count(aim) == 1 else f"{aim} {aims[: at + 1].count(aim)}" for at, aim in enumerate(aims)]


def figures(fought: Sequence[Fought], objectives: Sequence[Objective]) -> tuple[Measurement, ...]:
    """Of every objective: how often it was reached, how far at worst, and what that is made of."""
    found: list[Measurement] = []
    for at, name in enumerate(slices(objectives)):
        found += [reached(fought, at, name), farthest(fought, at, name)]
        if objectives[at].aim is Aim.MOVE:
            found.append(_passed(fought, at, name))
            found += _residual(fought, at, name)
        if objectives[at].aim is Aim.LEARN:
            found.append(_advantage(fought, name))
    return tuple(found)


def _value(
    one: Objective, ground: Ground, dealt: Staged, system: Protected, model: Served
) -> tuple[float, float | None, float | None]:
    """How far it came, and its interval where it was measured on a sample."""
    if one.aim is Aim.MOVE:
        return ground.moved(one), None, None
    if one.aim is Aim.STEAL:
        return agreement(ground, dealt, system, model)
    guesses = ground.kept.get("members")
    if guesses is None:
        return 0.0, None, None
    value, low, high = (max(0.0, end) for end in _told_apart(guesses, dealt))
    return value, low, high


def agreement(
    ground: Ground, dealt: Staged, system: Protected, model: Served
) -> tuple[float, float | None, float | None]:
    """On how many held-out rows that the attackers never had the copy decides as the model does, with its interval.

    Half of them are flagged by the model: where flags are rare nearly every copy agrees on nearly every row.
    """
    copy, edge = copies(ground), ground.kept.get("threshold")
    if copy is None or edge is None:
        return 0.0, None, None
    own = {row.tobytes() for row in (*dealt.known.x, *dealt.wanted.x)}
    rows = np.array([row for row in system.data.x[: 20 * _JUDGED] if row.tobytes() not in own])
    flagged = np.asarray(model.score(rows)) >= level(system)
    each = min(int(flagged.sum()), int((~flagged).sum()), _JUDGED)
    if not each:
        return 0.0, None, None
    flags = [np.asarray(copy.scores(rows[side][:each])) >= edge for side in (flagged, ~flagged)]
    same = int(flags[0].sum() + (~flags[1]).sum())
    return same / (2 * each), *wilson(same, 2 * each)


def _told_apart(guesses: Any, dealt: Staged) -> tuple[float, float, float]:
    said, inside = np.asarray(guesses, dtype=float) >= 0.5, dealt.members
    if len(said) != len(inside) or not len(inside):
        return 0.0, -1.0, 1.0
    return apart(int(said[inside].sum()), int(inside.sum()), int(said[~inside].sum()), int((~inside).sum()))


def outcome(
    at: int, one: Objective, ground: Played, course: Course, far: tuple[float, float | None, float | None]
) -> Came:
    """What came of an objective that got so far."""
    seen, (value, low, high) = course.reached.get(at), far
    reached = value >= one.goal and low != 0.0  # what chance alone may bring is nothing that was reached
    return Came(
        aim=one.aim.value,
        words=one.words,
        goal=one.goal,
        value=value,
        reached=reached,
        when=(seen[0] if seen else ground.clock) if reached else None,
        queries=seen[1] if seen else ground.queries,
        cost=seen[2] if seen else ground.paid,
        low=low,
        high=high,
    )


def doubt(fought: Sequence[Waging], at: int) -> dict[str, Any]:
    """Why silence says nothing: something else than the guard ended it, or the same attackers do not reach it with the
    model alone before them either.
    """
    if any(one.came[at].reached for one in fought):
        return {}
    if any(one.course.cut for one in fought):
        return {"status": Status.INCONCLUSIVE, "reason": "it was cut before the attackers had given up"}
    if not all(one.bare for one in fought):
        return {"status": Status.INCONCLUSIVE, "reason": "no weak twin could be asked, so nothing shows its power"}
    if not any(one.bare[at].reached for one in fought):
        learns = fought[0].ground.campaign.objectives[at].aim is Aim.LEARN
        weak = "they are too weak, or it gives nothing away" if learns else "they are too weak to tell"
        why = f"the same attackers do not reach it with the model alone before them either: {weak}"
        return {"status": Status.INCONCLUSIVE, "reason": why}
    return {}


def reached(fought: Sequence[Waging], at: int, name: str) -> Measurement:
    """How often an objective was reached, over campaigns of different seeds."""
    many, n = sum(one.came[at].reached for one in fought), len(fought)
    return measure_rate(
        CAMPAIGN,
        "reached",
        many,
        n,
        undecided=sum(one.course.cut and not one.came[at].reached for one in fought),
        slice=name,
        counts="campaigns",
        queries=sum(one.ground.queries for one in fought),
        baseline=_twins(fought, lambda came: float(came[at].reached), np.mean),
        caveats=("these attackers with these means; others may",),
        **doubt(fought, at),
    )


def _twins(
    fought: Sequence[Waging], value: Callable[[tuple[Came, ...]], float], over: Callable[[list[float]], Any]
) -> tuple[tuple[str, float], ...]:
    """The same figure of the twins of these campaigns."""
    twins = ((_BARE, [one.bare for one in fought]), (UNANSWERED, [one.unanswered for one in fought]))
    found = ((name, [value(came) for came in many if came]) for name, many in twins)
    return tuple((name, float(over(values))) for name, values in found if values)


def farthest(fought: Sequence[Waging], at: int, name: str) -> Measurement:
    """The campaign that came farthest, 1 at most: it ends once the goal is reached, and more of it says nothing."""
    worst = max(min(one.came[at].share, 1.0) for one in fought)
    return Measurement(
        plugin=CAMPAIGN,
        metric="share",
        value=worst,
        low=worst,
        high=worst,
        n=len(fought),
        unit="of the goal",
        better=Better.LOWER,
        slice=name,
        counts="campaigns",
        method=f"the farthest of {len(fought)} campaigns",
        queries=sum(one.ground.queries for one in fought),
        baseline=_twins(fought, lambda came: min(came[at].share, 1.0), max),
        caveats=("what these attackers reached, and no bound on what others may",),
        **doubt(fought, at),
    )


def _passed(fought: Sequence[Fought], at: int, name: str) -> Measurement:
    """Of all wanted rows; one that nobody tried, or had given up when the campaign was cut, is undecided."""
    n = sum(len(one.dealt.wanted) for one in fought)
    passed = sum(len(one.ground.got) for one in fought)
    undecided = sum(len(one.undecided) for one in fought)
    return measure_rate(
        CAMPAIGN,
        "passed",
        passed,
        n,
        undecided=undecided,
        slice=name,
        queries=sum(one.ground.queries for one in fought),
        baseline=(("unchanged", 0.0),),
        caveats=("rows that the model stops as they are", *_open(undecided)),
        **({} if passed else doubt(fought, at)),
    )


def _open(undecided: int) -> tuple[str, ...]:
    return (f"{undecided:,} were never tried, or not given up when it ended",) if undecided else ()


def _residual(fought: Sequence[Fought], at: int, name: str) -> Iterator[Measurement]:
    """What a wanted row brings on average, in the money of the objective; an undecided one nothing, or all it has."""
    objective = fought[0].ground.campaign.objectives[at]
    if not objective.amount:
        return
    least, most, whole = (
        np.concatenate(each) for each in zip(*(_worth(one, objective) for one in fought), strict=True)
    )
    top = max(float(most.max()), float(whole.max()), 1e-300)
    (value, low, _), (_, _, high) = (bounded_mean(values / top) for values in (least, most))
    yield Measurement(
        plugin=CAMPAIGN,
        metric="residual",
        value=top * value,
        low=top * low,
        high=top * high,
        n=len(least),
        unit=f"{objective.amount} an attempt",
        better=Better.LOWER,
        slice=name,
        counts="rows",
        method="the mean over wanted rows",
        undecided=sum(len(one.undecided) for one in fought),
        queries=sum(one.ground.queries for one in fought),
        baseline=(("nothing stops a row", float(whole.mean())),),
        **({} if value else doubt(fought, at)),
    )


def _worth(fought: Fought, objective: Objective) -> tuple[Rows, Rows, Rows]:
    """Of each wanted row what it brought, what it may have brought where nobody knows, and what it carries as it is."""
    x = np.asarray(fought.dealt.wanted.x, dtype=float)
    whole = np.maximum(np.nan_to_num(x[:, fought.ground.full.index(objective.amount)]), 0.0)
    least = np.zeros(len(whole))
    for one in fought.ground.got:
        least[one.row] = max(one.worth, 0.0)
    most = least.copy()
    most[sorted(fought.undecided)] = whole[sorted(fought.undecided)]
    return least, most, whole


def _advantage(fought: Sequence[Fought], name: str) -> Measurement:
    guessed = [one for one in fought if "members" in one.ground.kept]
    if not guessed:
        why = "no technique made a guess"
        return Measurement(
            plugin=CAMPAIGN, metric="advantage", value=None, status=Status.UNTRIED, reason=why, slice=name
        )
    value, low, high = max(
        (_told_apart(one.ground.kept["members"], one.dealt) for one in guessed), key=lambda one: one[0]
    )
    return Measurement(
        plugin=CAMPAIGN,
        metric="advantage",
        value=value,
        low=low,
        high=high,
        n=len(guessed[0].dealt.members),
        unit="difference of rates",
        better=Better.LOWER,
        slice=name,
        method="Newcombe; members called members less others called so",
    )
