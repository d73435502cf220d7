"""The assessment of a portfolio: gives out turns until every system had its own, whatever becomes of single ones."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from temper.core.errors import StoreError
from temper.core.event import Event, Listener, silent
from temper.core.fleet import Attempt, Situation, Wanted
from temper.engine.fleet.hands import Hands
from temper.engine.fleet.order import cores, cost, ranked
from temper.engine.fleet.turn import Taken
from temper.store.fleet import Log

TRIES = 3
"""Turns that a system is given when its process is lost or crashes."""
FIRST, LAST = 1.0, 60.0
"""Seconds until a store that cannot be reached is asked again: the first time, and at most."""
_TICK = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a fleet is assessed. `done` had their turn before a kill; at `until` (of the monotonic clock) time is over;
    `away` says why the server of a store cannot be reached, "" where it can or where there is none.
    """

    fleet: str
    wanted: Wanted
    done: Mapping[str, Attempt] = field(default_factory=dict)
    until: float = math.inf
    away: Callable[[str], str] = lambda place: ""
    listener: Listener = silent
    sleep: Callable[[float], None] = time.sleep

    @property
    def left(self) -> float:
        """Minutes."""
        return (self.until - time.monotonic()) / 60.0

    def say(self, words: str) -> None:
        """A line that belongs to no system."""
        self.listener(Event(kind="note", message=words))

    def reach(self, place: str) -> bool:
        """Wait until the store at this place can be reached; whether it had to be waited for."""
        pause, waited = FIRST, False
        while (why := self.away(place)) and self.left > 0:
            waited = True
            self.say(f"the store cannot be reached ({why}); nothing is lost, and it is asked again in {pause:g} s")
            self.sleep(pause)
            pause = min(2.0 * pause, LAST)
        if waited and not why:
            self.say("the store answers again")
        return waited


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """What became of a fleet: a turn of each system that had one, in their order; those that time did not suffice for,
    by name; how long it took.
    """

    attempts: tuple[Attempt, ...]
    left: tuple[str, ...]
    seconds: float


def drive(fleet: Sequence[Situation], course: Course, hands: Hands, log: Log) -> Driven:
    """Give every system of `fleet` its turn, and say so as it goes. Ctrl-C ends it; what was finished is kept."""
    order = [one.entry.name for one in fleet]
    began = time.monotonic()
    run = _Run(course=course, hands=hands, log=log)
    run.waiting = [one for one in ranked(fleet) if one.entry.name not in course.done]
    run.others = sum(map(cost, run.waiting))
    run.attempts = {name: course.done[name] for name in order if name in course.done}
    if run.attempts:
        course.say(f"{len(run.attempts)} systems had their turn before")
    run.kept(lambda: log.begin(course.fleet))
    try:
        run.until_done(len(run.waiting))
    finally:
        hands.close()
    left = tuple(one.entry.name for one in run.waiting)
    if not left:
        run.kept(lambda: log.end(course.fleet))
    attempts = [run.attempts[name] for name in order if name in run.attempts]
    course.listener(Event(kind="judged", done=len(attempts), total=len(order)))
    return Driven(attempts=tuple(attempts), left=left, seconds=time.monotonic() - began)


@dataclass(slots=True, kw_only=True)
class _Run:
    """What has not begun and how many seconds that takes, what is running, and what became of the rest; `again` are
    orders of turns that were lost.
    """

    course: Course
    hands: Hands
    log: Log
    waiting: list[Situation] = field(default_factory=list)
    others: float = 0.0
    running: dict[str, tuple[Situation, Wanted]] = field(default_factory=dict)
    again: dict[str, Wanted] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)

    def until_done(self, total: int) -> None:
        """Give out turns as cores become free, and take what comes of them."""
        self.course.listener(Event(kind="planned", total=total))
        while (self.waiting and self.course.left > 0) or self.running:
            while self.waiting and self._free() > 0 and self.course.left > 0:
                self._begin(self.waiting.pop(0))
            for taken in self.hands.ended(_TICK):
                self._settle(taken)

    def kept(self, write: Callable[[], None]) -> None:
        """Write to the log; a disk that is full costs a resumed fleet this turn, and nothing now."""
        try:
            write()
        except StoreError as error:
            self.course.say(f"{error.message}: what became of it is not kept")

    def _begin(self, one: Situation) -> None:
        wanted = self.again.pop(one.entry.name, None) or self._order(one)
        wanted = replace(
            wanted,
            cores=min(self._cores(one), self.hands.widest),
            minutes=min(one.entry.tier.minutes, self.course.left),
        )
        self.running[one.entry.name] = one, wanted
        self.course.listener(Event(kind="started", task=one.entry.name, room=one.entry.level))
        self.hands.begin(wanted)

    def _cores(self, one: Situation) -> int:
        self.others -= cost(one)
        return cores(one, self.others, len(self.waiting), self._free(), self.hands.slots)

    def _order(self, one: Situation) -> Wanted:
        entry, usual = one.entry, self.course.wanted
        return replace(
            usual,
            fleet=self.course.fleet,
            entry=entry.name,
            config=entry.config,
            suite=usual.suite or entry.tier.suite,
            only=entry.only,
            memory=entry.tier.memory,
            age=entry.tier.age,
        )

    def _free(self) -> int:
        return self.hands.slots - sum(wanted.cores for _, wanted in self.running.values())

    def _settle(self, taken: Taken) -> None:
        """Keep a turn, or let the system have another one."""
        one, wanted = self.running.pop(taken.wanted.entry)
        if (again := self._once_more(taken, wanted)) is not None:
            self.again[one.entry.name] = again
            self.waiting.insert(0, one)
            self.others += cost(one)
            return
        attempt = taken.attempt()
        self.attempts[one.entry.name] = attempt
        self.kept(lambda: self.log.put(attempt))
        self.course.listener(
            Event(
                kind="finished" if attempt.finished else "failed",
                task=one.entry.name,
                room=one.entry.level,
                message=told(attempt),
                seconds=attempt.seconds,
            )
        )

    def _once_more(self, taken: Taken, wanted: Wanted) -> Wanted | None:
        """The next turn of a system that was lost on the way; None where another would end like this one."""
        name, more = taken.wanted.entry, replace(wanted, tries=wanted.tries + 1, resume=True)
        if taken.storeless:
            if self.course.reach(wanted.store or str(Path(wanted.config).parent)):
                return replace(more, tries=wanted.tries)  # nobody's fault but the store's
            return more if wanted.tries < TRIES else None
        if taken.lost and wanted.tries < TRIES:
            self.course.say(f"{name}: its process vanished on {taken.worker or 'its machine'}; it is taken again")
            return more
        if taken.crashed and not wanted.apart:
            self.course.say(
                f"{name}: its process ended by itself; it is taken again, each task in a process of its own"
            )
            return replace(more, apart=True)
        return None


def told(attempt: Attempt) -> str:
    """A turn in a line."""
    if not attempt.finished:
        return attempt.why
    if attempt.state == "current":
        return f"nothing is stale; {attempt.verdict.upper()} since run {attempt.run}"
    again = f", {attempt.reused} of {attempt.tasks} answers from the store" if attempt.reused else ""
    return f"{attempt.verdict.upper()}, run {attempt.run}{again}"
