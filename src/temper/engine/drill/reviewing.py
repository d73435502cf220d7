"""A drill whose victims are the reviewers: which requests wait for people, and what became of their cases."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.chaos.arithmetic import Share
from temper.core.requirement import Verdict
from temper.core.review import Case, State
from temper.engine.drill.terms import Load
from temper.store.control import Control

Array = np.ndarray[Any, Any]
GREY = 0.05
"""The share of rows that waits for people where the policy has no grey zone: those nearest to the threshold."""
_MORE = 2.0
"""How many times as many cases as come in the reviewers of a drill decide: a backlog has to shrink."""
_BESIDE = 0.01
"""The share of requests that waits for people for other reasons than their score, as far as one can know."""
_DUE, _SHORTEST = 10.0, 1.0
SLACK = 2.0
"""Seconds after the due time by which the clock must have decided: a gateway looks every second."""
_ALL = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How a drill lets people wait: scores between the ends of `zone` are theirs, for `due` seconds, and the simulated
    reviewers decide `pace` cases a second.
    """

    zone: tuple[float, float]
    due: float
    pace: float

    @classmethod
    def of(cls, load: Load, scores: Array, threshold: float, zone: Sequence[float] | None) -> Queue:
        """For rows with these scores; `zone` is the policy's own. A case has a tenth of the drill, 1 s at least.

        >>> Queue.of(Load(rate=100.0), np.linspace(0, 1, 101), 0.5, [0.4, 0.6]).pace.__round__()
        44
        """
        if zone is None:
            near = scores[np.argsort(np.abs(scores - threshold), kind="stable")[: max(1, round(GREY * len(scores)))]]
            zone = float(near.min()), float(near.max())
        share = float(((scores >= zone[0]) & (scores <= zone[1])).mean())
        pace = _MORE * load.rate * (share + _BESIDE)
        return cls(zone=(float(zone[0]), float(zone[1])), due=max(_SHORTEST, load.seconds / _DUE), pace=pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What became of cases, by when they came: the share that a person decided in time before the fault, while it was,
    and after it. `lapsed` were decided by the clock as the policy says, `lying` by nobody though they were due, or
    otherwise. `noticed` is when an incident told of it, in seconds after the fault began; `worked_off` when the last
    case from before the end of the fault was closed, in seconds after that end. None: never.
    """

    before: Share
    meanwhile: Share
    after: Share
    lapsed: int
    lying: int
    noticed: float | None
    worked_off: float | None

    def steady(self, slo: float) -> bool:
        """Whether people decided in time before the fault."""
        return self.before.n > 0 and self.before.value >= slo

    def reasons(self, slo: float) -> list[tuple[Verdict, str]]:
        """What was asked of the queue, and whether it holds."""
        found = []
        if not self.steady(slo):
            told = f"{self.before.count} of {self.before.n} cases were decided in time before the fault"
            found.append((Verdict.INCONCLUSIVE, f"no steady state of the queue: {told}"))
        if not self.lapsed and not self.lying:
            found.append((Verdict.INCONCLUSIVE, f"no case ran into its due time, of {self.meanwhile.n} meanwhile"))
        if self.lying:
            found.append((Verdict.FAIL, f"{self.lying} cases that were due were left lying"))
        if self.noticed is None and (self.lapsed or self.lying):
            found.append((Verdict.FAIL, "no incident told that cases are not decided in time"))
        if self.worked_off is None:
            found.append((Verdict.FAIL, "the backlog was not worked off"))
        return found

    def figures(self) -> dict[str, Any]:
        """What is kept of it."""
        shares = {"before": self.before, "meanwhile": self.meanwhile, "after": self.after}
        told = {f"cases_{name}": one.n for name, one in shares.items()}
        told |= {f"decided_{name}": one.count for name, one in shares.items()}
        return {**told, "lapsed": self.lapsed, "lying": self.lying, "worked_off": self.worked_off}

    def lines(self) -> tuple[str, ...]:
        """As a person reads it."""
        told = [
            f"{share.count} of {share.n} {words}"
            for share, words in ((self.before, "before"), (self.meanwhile, "meanwhile"), (self.after, "after it"))
        ]
        noticed = "no incident" if self.noticed is None else f"after {self.noticed:.1f} s an incident"
        worked = "was not worked off" if self.worked_off is None else f"was worked off {self.worked_off:.1f} s after it"
        return (
            f"cases decided by (simulated) people in time: {', '.join(told)}",
            f"decided by the clock, as the policy says: {self.lapsed}; left lying: {self.lying}; "
            f"{noticed} told of it; the backlog {worked}",
        )


def reviewed(cases: Sequence[Case], began: float, over: float, told: Sequence[float], now: float) -> Reviewed:
    """What became of these cases; times are the wall clock's, `told` those of the lines about cases that ran out."""
    created = np.array([one.created for one in cases])
    timely = np.array([_timely(one) for one in cases], dtype=bool)
    parts = created < began, (created >= began) & (created < over), created >= over
    earlier = [one.closed for one in cases if one.created < over]
    closed = [one for one in earlier if one is not None]
    noticed = [at - began for at in told if at >= began]
    return Reviewed(
        **{
            name: Share(count=int(timely[part].sum()), n=int(part.sum()))
            for name, part in zip(("before", "meanwhile", "after"), parts, strict=True)
        },
        lapsed=sum(_lapsed(one) for one in cases),
        lying=sum(_lying(one, now) for one in cases),
        noticed=min(noticed, default=None),
        worked_off=max(0.0, max(closed, default=over) - over) if len(closed) == len(earlier) else None,
    )


def _timely(case: Case) -> bool:
    return case.state is State.CLOSED and case.closed is not None and case.due is not None and case.closed <= case.due


def _lapsed(case: Case) -> bool:
    return case.state is State.EXPIRED and case.outcome is case.overdue


def _lying(case: Case, now: float) -> bool:
    """Whether it was due and is not closed, or was closed too late or otherwise than the policy says."""
    if _timely(case) or case.due is None:
        return False
    late = (now if case.closed is None else case.closed) > case.due + SLACK
    return late or (case.state is State.EXPIRED and not _lapsed(case))


def settled(place: Path, queue: Queue) -> None:
    """Wait until no case waits any more, no longer than the clock needs to decide them all."""
    end = time.monotonic() + queue.due + 2 * SLACK
    with closing(Control.open(str(place))) as control:
        time.sleep(SLACK)  # the last requests are handed on within a second
        while control.reviews.waiting(0.0)[0] and time.monotonic() < end:
            time.sleep(0.1)


def looked(place: Path, start: float, began: float, over: float) -> Reviewed:
    """What became of the cases since `start`, from the control store at `place`; times are the wall clock's."""
    with closing(Control.open(str(place))) as control:
        every = [case for state in State for case in control.reviews.page(state, limit=_ALL)]
        lines = [
            line.at
            for one in control.incidents.page(limit=_ALL)
            if one.source == "reviews"
            for line in control.incidents.get(one.id).timeline
        ]
    return reviewed([one for one in every if one.created >= start], began, over, lines, time.time())
