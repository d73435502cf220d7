"""How a system of a portfolio stands, from what is known of it and from nothing else: the newest run, how old, what of
its evidence is stale, risk, and drift. A system that was assessed by itself since its last turn is as well known as one
that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from temper.core.evidence import Evidence, Stale, Triggers
from temper.core.fleet import Attempt, Entry, Situation
from temper.core.outline import Outline
from temper.core.watch import Kind, Seen, Watched
from temper.monitoring.evidence import NOTHING, aged


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is told of the newest window of a feed: when it ended and, of one that alarms, of what and since when."""

    ends: float
    alarm: str = ""
    since: float = 0.0

    @classmethod
    def of(cls, watched: Watched) -> Window:
        """In short."""
        if watched.seen is not Seen.FAIL:
            return cls(ends=watched.ends)
        kind: Kind | None = watched.kind
        what = kind.value if kind else ", ".join(watched.troubles[:1]) or "something"
        return cls(ends=watched.ends, alarm=what, since=watched.start if watched.since is None else watched.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read of one system: its newest finished run in short, the seconds that the longest of the latest took
    (one that the store answered says nothing of the next), the evidence of each part, what of it is stale whatever the
    time is, the newest window of its feed, and its last turn.
    """

    system: str = ""
    newest: Outline | None = None
    evidence: Mapping[str, Evidence] | None = None
    lasting: tuple[Stale, ...] = ()
    rules: Triggers = field(default_factory=Triggers)
    seconds: float = 0.0
    window: Window | None = None
    turn: Attempt | None = None
    trouble: str = ""


def situation(entry: Entry, known: Known, now: float) -> Situation:
    """How a system stands. The risk is that of its newest run, where that has a register, else of its last turn."""
    newest, turn, window = known.newest, known.turn, known.window
    found = Situation(
        entry=entry,
        system=known.system,
        stale=(*known.lasting, *aged(known.evidence, now, known.rules)) if known.evidence else (NOTHING,),
        drift=_drift(window) if window else "",
        watched=max(now - window.ends, 0.0) if window else None,
        trouble=known.trouble or _failed(turn, newest),
    )
    if newest is not None:
        found = replace(
            found,
            run=newest.run,
            verdict=newest.kind,
            began=newest.began,
            age=max(now - newest.began, 0.0),
            seconds=known.seconds,
        )
    whose: Attempt | Outline | None = newest if newest is not None and newest.unit else turn
    if whose is None:
        return found
    return replace(found, assessed=whose.run, unit=whose.unit, annual=whose.annual, p90=whose.p90, rating=whose.rating)


def _drift(window: Window) -> str:
    """What the newest window alarms about."""
    return f"{window.alarm} since {datetime.fromtimestamp(window.since, UTC):%Y-%m-%d %H:%M}" if window.alarm else ""


def _failed(turn: Attempt | None, newest: Outline | None) -> str:
    """Why the last turn came to no verdict, while no run since then did."""
    if turn is None or turn.finished or (newest is not None and newest.began > turn.at + turn.seconds):
        return ""
    return turn.why or "it could not finish"
