"""The day: hour by hour its payments are sent, what the monitor says is told, and what has to be done is done."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.incident import Incident
from temper.core.system import Protected
from temper.core.watch import Seen, Watched
from temper.demos.day.attacker import Fraudster, attacked
from temper.demos.day.caller import Answers, Caller
from temper.demos.day.desk import ANALYST, Desk
from temper.demos.day.evidence import stopped
from temper.demos.day.payments import Batch, Payments
from temper.demos.day.plan import HOUR, Chapter, Hour, Told, told
from temper.demos.day.regression import Regression
from temper.demos.day.stack import Model
from temper.demos.day.told import Done, Screen, of_day
from temper.demos.day.watching import Watcher

MATURE = 6
"""Hours after which labels are there."""
EVASION, DOWN = "evasion", "model-down"
NOTES = {
    "drift": "a new channel was launched this morning; labels will say whether the model holds",
    "pipeline-fault": "the gateway says that the model does not answer: its own incident has the playbook",
}
"""What the analyst knows beside the windows."""
_FEW, _APART = 5, 0.5
"""Payments at a time while a model comes back, and in how many seconds."""
_BELOW = 0.1
"""The new threshold has these odds, times those of the old one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """An incident that a test is made of: from the log of these hours, with scores from `low` on."""

    incident: int
    hours: list[int]
    low: float
    clock: Callable[[], float]


@dataclass(slots=True, kw_only=True, eq=False)
class Day:
    """Everything of the day, and what came of it. An hour takes `seconds` at least; its time is that of the feed, and
    of incidents that the monitor opens. The gateway and its incidents know the clock on the wall alone, on which the
    day begins so that both agree when the model fails.
    """

    system: Protected
    hours: list[Hour]
    payments: Payments
    caller: Caller
    fraudster: Fraudster
    model: Model
    watcher: Watcher
    desk: Desk
    screen: Screen
    audit: Path
    tested: Callable[[Made], Regression]
    alive: Callable[[], None]
    wall: Callable[[], float]
    seconds: float = 4.0
    cards: int = 60
    queries: int = 100
    test: Regression | None = field(default=None, init=False)
    _sent: dict[int, Batch] = field(default_factory=dict, init=False)
    _passed: dict[int, float] = field(default_factory=dict, init=False)
    _flagged: dict[int, float] = field(default_factory=dict, init=False)
    _back: threading.Event = field(default_factory=threading.Event, init=False)
    _well: bool = field(default=True, init=False)
    _attacked: dict[int, int] = field(default_factory=dict, init=False)
    _took: dict[Chapter, float] = field(default_factory=dict, init=False)

    async def run(self) -> list[Told]:
        """All of it."""
        before: Chapter | None = None
        for hour in self.hours:
            if hour.chapter is not before:
                self.screen.chapter(hour.chapter)
                await self._begins(hour)
            before = hour.chapter
            self.alive()
            window = await self._hour(hour)
            self.screen.hour(window)
            await asyncio.to_thread(self._answered, hour, window)
        return list(told(self.hours, self.watcher.windows))

    async def _begins(self, hour: Hour) -> None:
        """What has to be there before a chapter."""
        if hour.chapter is not Chapter.CAMPAIGN:
            return
        threshold = float(self.system.threshold or 0.5)
        self.screen.say(f"a real attack asks the gateway with a partner's stolen key; it passes below {threshold:.3f}")
        seed = self.payments.seed
        found = await asyncio.to_thread(attacked, self.system, self.fraudster, self.cards, self.queries, seed)
        self.payments.moved = found.moved
        self.screen.say(f"{len(found.moved)} of {found.tried} stopped cards pass now, after {found.asked:,} questions")

    async def _hour(self, hour: Hour) -> Watched:
        """Its payments are sent and written down, labels of an earlier hour come, and the monitor looks."""
        batch = self.payments.hour(hour)
        self._sent[hour.number] = batch
        found = await self._asked(hour, batch)
        if batch.planted.any():
            self._passed[hour.number] = self._allowed(found, batch.planted)
            self._flagged[hour.number] = 1.0 - self._allowed(found, batch.y == 0)
        earlier = hour.number - MATURE
        known = (earlier, self._sent[earlier]) if earlier >= 0 else None
        self.caller.write(hour.number, batch, found, known)
        return await asyncio.to_thread(self.watcher.look, self.caller.begins + HOUR * (hour.number + 1))

    async def _asked(self, hour: Hour, batch: Batch) -> Answers:
        """What the gateway says; in the first hour of its failure the model is killed on the way, and where the
        gateway has said so, its playbook is run while payments go on.
        """
        down = await asyncio.to_thread(self._down)
        if down is not None:
            return await self._meanwhile(batch, down)
        if hour.chapter is not Chapter.FAILURE:
            return await self.caller.ask(batch, self.seconds)
        cut = round(hour.strength * len(batch))
        first = await self.caller.ask(batch.part(slice(0, cut)), hour.strength * self.seconds)
        self.model.kill()
        self.screen.say("the model's process is killed, by the fault host.kill of Temper's drills")
        return first + await self.caller.ask(batch.part(slice(cut, None)), (1 - hour.strength) * self.seconds)

    async def _meanwhile(self, batch: Batch, down: Incident) -> Answers:
        """The playbook is run while payments go on: half of them while the model is away, then a few at a time, since a
        breaker closes on calls that are well.
        """
        playbook = asyncio.ensure_future(asyncio.to_thread(self._restored, down))
        at = len(batch) // 2
        found = await self.caller.ask(batch.part(slice(0, at)), self.seconds / 2)
        await asyncio.to_thread(self._back.wait)
        while at < len(batch) and not playbook.done():
            found += await self.caller.ask(batch.part(slice(at, at + _FEW)), _APART)
            at += _FEW
        await playbook
        return found + await self.caller.ask(batch.part(slice(at, None)), self.seconds / 2)

    def _allowed(self, found: Answers, which: np.ndarray[Any, Any]) -> float:
        """The share of these payments that nothing stopped: allowed, and not called fraud."""
        through = (found.decisions == "allow") & (found.labels != self.system.classes[-1])
        return float(np.mean(through[which]))

    def _clock(self, hour: Hour) -> Callable[[], float]:
        """The day's own clock at the end of this hour; from here on it goes as fast as that on the wall."""
        ends, began = self.caller.begins + HOUR * (hour.number + 1), time.monotonic()
        return lambda: ends + time.monotonic() - began

    def _answered(self, hour: Hour, window: Watched) -> None:
        """What the analyst does at the end of this hour, who knows incidents and nothing of chapters."""
        for other in self.watcher.gateways():
            if not other.parts and other.playbook != DOWN:
                note = f"seen by {of_day(self._clock(hour)())} of the feed; the gateway knows the wall's clock alone"
                self.desk.take(other, note, self.wall)
        for incident in self.watcher.incidents():
            clock = self._clock(hour)
            if not incident.parts:
                self.screen.say(f"incident {incident.id} opens: {incident.title} (playbook {incident.playbook})")
                self._taken(hour, incident, clock)
            elif window.seen is Seen.PASS:
                self._over(hour, incident, clock)

    def _taken(self, hour: Hour, incident: Incident, clock: Callable[[], float]) -> None:
        """An attack is contained; everything else is noted, and watched: nobody is stopped for it."""
        if incident.playbook != EVASION:
            self.desk.take(incident, NOTES.get(incident.playbook, "watched on"), clock)
            return
        self._attacked[incident.id] = hour.number
        shares = stopped(self.audit, float(self.system.threshold or 0.5))
        client, share = next(iter(shares.items()))
        others = max([0.0, *list(shares.values())[1:]])
        self.screen.say(f"the ledger: of what {client} asked {share:.0%} is stopped, of others' payments {others:.1%}")
        settings = {"client": client, "threshold": f"{self._lower():.6f}", "per_second": "5000"}
        self._ran(Chapter.CAMPAIGN, incident, settings, clock, self.desk.asked)

    def _lower(self) -> float:
        """A threshold below what was pushed below the old one."""
        old = float(self.system.threshold or 0.5)
        odds = _BELOW * old / (1.0 - old)
        return odds / (1.0 + odds)

    def _ran(
        self,
        chapter: Chapter,
        incident: Incident,
        settings: dict[str, str],
        clock: Callable[[], float],
        asked: Callable[[str], bool],
    ) -> bool:
        well, seconds = self.desk.contain(incident, incident.playbook, settings, clock, asked)
        self._took[chapter], self._well = seconds, self._well and well
        self.screen.say(f"the playbook {'worked' if well else 'DID NOT WORK'}, after {seconds:.1f} s")
        return well

    def _down(self) -> Incident | None:
        """The gateway's own incident of a model that does not answer."""
        return next((one for one in self.watcher.gateways() if one.playbook == DOWN and not one.parts), None)

    def _restored(self, incident: Incident) -> None:
        """Its playbook leaves the model alone until a person has started it again."""

        def asked(question: str) -> bool:
            agreed = self.desk.asked(question)
            if agreed and "Is it done?" in question:
                self.model.start()
                self._back.set()
            return agreed

        self.screen.say(f"incident {incident.id} was opened by the gateway: {incident.title} (playbook {DOWN})")
        try:
            well = self._ran(Chapter.FAILURE, incident, {}, self.wall, asked)
        finally:
            self._back.set()
        if well:
            self.desk.close(incident, "the model answers again; it was killed by hand", self.wall)
            self.screen.say(f"incident {incident.id} is closed: the model answers again")

    def _over(self, hour: Hour, incident: Incident, clock: Callable[[], float]) -> None:
        """The windows pass again: it is closed, an attack once the labels of its first hours have come."""
        since = self._attacked.get(incident.id)
        if since is None:
            self.desk.close(incident, "the windows pass again", clock)
        elif hour.number < since + MATURE + 1:
            return
        else:
            self._mended(incident, list(range(since, hour.number - MATURE + 1)), clock)
        self.screen.say(f"incident {incident.id} is closed by {ANALYST}")

    def _mended(self, incident: Incident, hours: list[int], clock: Callable[[], float]) -> None:
        """Labels are there: a test is written and asked of both models, and what was tightened is loosened."""
        made = Made(incident=incident.id, hours=hours, low=self._lower(), clock=clock)
        self.test = found = self.tested(made)
        self.screen.say(f"labels have come: {found.many} frauds that passed become {found.path.name}")
        self.screen.say(f"wrong on the model of the day: {found.old} of {found.many}; on a hardened one: {found.new}")
        self.desk.take_back(incident, clock)
        self.desk.close(incident, f"contained, and {found.path.name} will say if it comes back", clock)
        for other in self.watcher.gateways():
            self.desk.close(other, f"the same client as in incident {incident.id}", self.wall)

    @property
    def right(self) -> bool:
        """Whether every alarm came with its cause, the playbooks worked, and the test tells the two models apart."""
        causes = all(one.right for one in told(self.hours, self.watcher.windows))
        return causes and self._well and self.test is not None and self.test.right

    def summary(self) -> dict[Chapter, Done]:
        """What was done in each chapter."""
        passed, honest = (", ".join(f"{one:.0%}" for one in by.values()) for by in (self._passed, self._flagged))
        words = {
            Chapter.DRIFT: "noted, and closed when it was over; nobody was stopped",
            Chapter.CAMPAIGN: f"playbook evasion; passed, by hour: {passed}; honest payments stopped: {honest}",
            Chapter.FAILURE: "the fallback answered; playbook model-down",
        }
        return {
            chapter: Done(contained=self._took.get(chapter) or None, recovered=self._recovered(chapter), words=text)
            for chapter, text in words.items()
        }

    def afterwards(self) -> Iterator[str]:
        """What can be looked at now."""
        config = self.desk.config
        store = f"--store {config.parent / '.temper' / 'control.db'}"
        yield f"alarms     temper monitor status --config {config} {store}"
        yield f"incidents  temper incidents list --all {store}"
        yield f"evidence   temper ledger verify {self.audit}"
        if self.test is not None:
            yield f"the test   pytest {self.test.path}"
            yield f"           TEMPER_SYSTEM={config.absolute().with_name('hardened.yaml')} asks the hardened model"

    def _recovered(self, chapter: Chapter) -> int | None:
        """Windows from the first alarm of a chapter until the first that passes after it."""
        first = next((at for at, one in self._said(chapter) if one.seen is Seen.FAIL), None)
        if first is None:
            return None
        both = enumerate(zip(self.hours, self.watcher.windows, strict=True))
        later = (at for at, (hour, one) in both if hour.chapter is not chapter and one.seen is Seen.PASS)
        return next((at - first for at in later if at > first), None)

    def _said(self, chapter: Chapter) -> list[tuple[int, Watched]]:
        both = enumerate(zip(self.hours, self.watcher.windows, strict=True))
        return [(at, window) for at, (hour, window) in both if hour.chapter is chapter]
