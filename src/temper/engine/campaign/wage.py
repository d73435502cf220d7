"""One campaign: turns of techniques until what is sought is reached, or the rules, the budget or patience end it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from temper.core.campaign import DAY, Aim, Attacker, Campaign, Move, Objective
from temper.core.errors import TemperError
from temper.core.event import Event, Listener, silent
from temper.core.seed import Draws
from temper.core.waged import Turn
from temper.engine.campaign.door import Ended
from temper.engine.campaign.planner import Arm, Planner

Rows = np.ndarray[Any, Any]
_MOST = 10_000
"""Turns: a technique that never asks and always gives something new must not go on for ever."""
_CHANCE, _SURE = 0.5, 50
"""What a copy agrees on by chance where as many rows are flagged as not; so many answers say how good a copy is."""


@dataclass(slots=True, kw_only=True, eq=False)
class Course:
    """What has happened so far: every turn, when each objective was reached as far as the attacker can see, why it
    ended, whether it was `stopped` and may go on, and whether it was `cut`: it ended although the attackers had means
    left, so rows that had not passed were not given up. `gaps` is what nobody has seen of it, `learnt` what became
    of labels that came back, `failed` which techniques tripped and over what.
    """

    turns: list[Turn] = field(default_factory=list)
    reached: dict[int, tuple[float, int, float]] = field(default_factory=dict)
    ended: str = ""
    stopped: bool = False
    cut: bool = False
    agreed: list[bool] = field(default_factory=list)
    gaps: tuple[str, ...] = ()
    learnt: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


class Played(Protocol):
    """A field as the engine sees it, whatever it leads to."""

    campaign: Campaign
    kept: MutableMapping[str, Any]
    objective: Objective
    queries: int
    paid: float
    tally: Counter[str]
    why: Counter[str]
    used: list[str]
    lines: list[str]

    @property
    def unit(self) -> str:
        """What is charged, as the end of a campaign names it."""

    @property
    def attacker(self) -> Attacker:
        """Who plays."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts that may ask now."""

    @property
    def clock(self) -> float:
        """Seconds since the campaign began."""

    @property
    def got(self) -> Sequence[Any]:
        """What got through so far, each with its `worth`."""

    @property
    def told(self) -> Sequence[Any]:
        """Every answer so far."""

    def begin(self, objective: Objective, by: str, slice_: int) -> None:
        """A turn."""

    def moved(self, objective: Objective) -> float:
        """What got through for an objective in time."""

    def rested(self) -> float:
        """Seconds until an account may ask, 0 now."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def say(self, text: str) -> None:
        """A line for the timeline."""


def wage(
    ground: Played, techniques: Mapping[str, Any], rng: Draws, course: Course, listener: Listener = silent
) -> None:
    """Play turns; what a stop leaves behind is still a campaign."""
    objectives = ground.campaign.objectives
    planner = Planner(techniques=techniques, rng=rng.child("planner"))
    budget, told = ground.attacker.queries, 0
    for turn in range(_MOST):
        waiting = [at for at in range(len(objectives)) if at not in course.reached]
        arm = planner.chosen(objectives, waiting, ground.kept, turn)
        course.ended = _over(ground, waiting, arm)
        if course.ended or arm is None:
            course.cut = not waiting
            return
        try:
            _rested(ground)
            _turn(ground, course, planner, arm, rng.child(f"{turn}/{arm[1]}"))
        except Ended as end:
            course.ended, course.stopped = end.message, bool(end.fix)
            course.cut = ground.clock <= ground.attacker.patience * DAY
            _seen(ground, course)
            return
        if ground.queries - told >= budget / 5:
            told = ground.queries
            listener(
                Event(kind="note", message=f"{told:,} of {budget:,} {ground.unit}, {len(ground.got):,} got through")
            )
    course.ended = f"{_MOST:,} turns were played"


def _over(ground: Played, waiting: list[int], arm: Arm | None) -> str:
    """Why there is no next turn, "" where there is."""
    if not waiting:
        return "everything that was sought is reached"
    if ground.queries >= ground.attacker.queries:
        return f"the attacker's {ground.attacker.queries:,} {ground.unit} are spent"
    return "no technique has anything left to do" if arm is None else ""


def _rested(ground: Played) -> None:
    """Where every account was told to wait, the attacker waits, at a slower pace from then on."""
    if not ground.accounts:
        ground.wait(ground.rested() + 1e-6)


def _turn(ground: Played, course: Course, planner: Planner, arm: Arm, rng: Draws) -> None:
    at, name = arm
    technique: Any = planner.techniques[name]  # it plays on the field of its own kind
    before = dict(ground.kept)
    objective = ground.campaign.objectives[at]
    begun, shares, told = ground.clock, _share(ground, course, objective), len(ground.told)
    paid, got = ground.paid, len(ground.got)
    ground.begin(objective, name, ground.campaign.slice)
    copy = ground.kept.get("copy")
    try:
        technique.play(ground, rng)
    except Ended:
        raise
    except Exception as crash:  # one technique that trips does not end the campaign; the record names it
        why = crash.message if isinstance(crash, TemperError) else f"{type(crash).__name__}: {crash}"
        course.failed[name] = why[:200]
        planner.failed.add(name)
        ground.say(f"it failed: {why[:200]}")
    finally:
        gave = tuple(key for key, value in ground.kept.items() if before.get(key) is not value)
        fresh = tuple(key for key in gave if key not in before)
        _tested(ground, course, copy, told)
        course.turns.append(_told(ground, technique, arm[1], begun=begun, cost=ground.paid - paid, got=got, gave=fresh))
    gained = max(0.0, _share(ground, course, objective) - shares)
    slices = ground.attacker.queries / max(1, ground.campaign.slice)
    cost = ground.tally["asked"] / max(1, ground.campaign.slice)
    planner.learn(arm, gained * slices, cost, gave=gave if cost else fresh)
    _seen(ground, course)


def _told(
    ground: Played, technique: Move, name: str, *, begun: float, cost: float, got: int, gave: tuple[str, ...]
) -> Turn:
    counts = ("asked", "flagged", "reviewed", "blocked", "refused", "failed", "submitted", "read", "passed")
    counted: dict[str, Any] = {count: ground.tally[count] for count in counts}
    return Turn(
        technique=name,
        tactic=technique.tactic.word,
        aim=ground.objective.aim.value,
        begun=begun,
        ended=ground.clock,
        moved=sum(one.worth for one in ground.got[got:]),
        cost=cost,
        accounts=tuple(dict.fromkeys(ground.used)),
        gave=gave,
        said=tuple(ground.lines),
        why=tuple(sorted(ground.why.items())),
        **counted,
    )


def _tested(ground: Played, course: Course, copy: Any, told: int) -> None:
    """What the attacker sees of a copy: whether it decides as the answers do that came after it was fitted."""
    edge = ground.kept.get("threshold")
    if copy is None or edge is None:
        return
    new = [(row, one.score) for row, one, _, _ in ground.told[told:] if one.score is not None]
    if not new:
        return
    said = np.asarray(copy.scores(np.array([row for row, _ in new]))) >= edge
    course.agreed += (said == (np.array([score for _, score in new]) >= edge)).tolist()


def _share(ground: Played, course: Course, objective: Objective) -> float:
    """How much of the goal the attacker sees, at most all of it."""
    if objective.aim in (Aim.MOVE, Aim.CALL, Aim.LEAK):
        return min(1.0, ground.moved(objective) / objective.goal)
    if objective.aim is Aim.STEAL:
        lately = course.agreed[-4 * _SURE :]
        seen = float(np.mean(lately)) if len(lately) >= _SURE else _CHANCE if "copy" in ground.kept else 0.0
        return min(1.0, seen / objective.goal)
    return 0.5 if "members" in ground.kept else 0.0


def _seen(ground: Played, course: Course) -> None:
    """What the attacker sees to be reached is sought no more. Who was in the training data is nothing he can see."""
    for at, objective in enumerate(ground.campaign.objectives):
        if at in course.reached or objective.aim is Aim.LEARN:
            continue
        if objective.aim is Aim.STEAL and len(course.agreed) < 4 * _SURE:
            continue
        if _share(ground, course, objective) >= 1.0:
            course.reached[at] = (ground.clock, ground.queries, ground.paid)
