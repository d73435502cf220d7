"""What a gateway tells people by itself: an incident is opened when something begins to be wrong, not while it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from temper.core.incident import Severity
from temper.core.stage import Level
from temper.gateway.tables.counted import Counted
from temper.gateway.tables.version import Version
from temper.guard.serving.breaker import State
from temper.guard.serving.modes import acting
from temper.report._inert import inert
from temper.store.control import Control
from temper.store.ledger.journal import Journal

if TYPE_CHECKING:
    from temper.gateway.tables.build import Gateway

HUSH = 60.0
"""Seconds in which one source says no more than once that it is wrong: a breaker may open and close all day."""
QUIET = 600.0
"""Seconds without a word of the stage, or without a case that the clock decides, after which that counts as over."""
LONGEST = 500
"""Characters of a line: what the store would refuse would hold up all that comes after it."""
MOST = 100
"""Lines that are kept while the control store is down."""
_ALARMS = (Level.REVISE.name, Level.REVIEW.name, Level.BLOCK.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something that can be wrong: its incident's title, how bad that is, and the playbook for it."""

    name: str
    title: str
    severity: Severity
    playbook: str = ""


BREAKER = Source(name="breaker", title="The breaker is open", severity=Severity.MAJOR, playbook="model-down")
KILL = Source(name="kill", title="The kill switch is on", severity=Severity.MAJOR)
GOLDEN = Source(name="golden", title="The model answers wrongly", severity=Severity.CRITICAL, playbook="model-wrong")
LEDGER = Source(name="ledger", title="Decisions cannot be recorded", severity=Severity.CRITICAL, playbook="disk-full")
EXTRACTION = Source(
    name="extraction", title="Somebody may be copying the model", severity=Severity.MAJOR, playbook="extraction"
)

REVIEWS = Source(
    name="reviews", title="Cases are not decided in time", severity=Severity.MINOR, playbook="reviews-overdue"
)


def alarm(gateway: Gateway, node: str) -> None:
    """Let this gateway tell people by itself what is wrong with it."""
    gateway.tending.alarms = Alarms(
        node=node,
        control=gateway.control,
        live=lambda: gateway.live,
        journal=gateway.journal,
        stopped=lambda: gateway.tending.because,
        counted=gateway.counted,
        lapsed=lambda: gateway.tending.lapsed,
        wall=time.time,
    ).incidents


@dataclass(slots=True, kw_only=True, eq=False)
class Alarms:
    """Looks every second, and writes into the control store what has begun or is over. Of one source one incident is
    open, whoever of several gateways saw it first; what could not be written is written later. `node` says who saw it.
    """

    node: str
    control: Control
    live: Callable[[], Version]
    journal: Journal
    stopped: Callable[[], str]
    counted: Counted
    lapsed: Callable[[], int]
    wall: Callable[[], float]
    waiting: deque[tuple[Source, str, bool, float]] = field(default_factory=lambda: deque(maxlen=MOST), init=False)
    _wrong: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _told: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _failed: int = field(default=0, init=False, repr=False)
    _counts: dict[str, tuple[int, float]] = field(default_factory=dict, init=False, repr=False)

    def incidents(self) -> None:
        """Look, and tell what has changed; raises `StoreError` while the control store does not answer."""
        now = self.wall()
        for source, fault in self._looks(now):
            self._look(source, fault, now)
        while self.waiting:
            source, text, wrong, at = self.waiting[0]
            if wrong:
                self.control.incidents.signal(
                    source.name, source.title, source.severity, text, self.node, at, source.playbook
                )
            else:
                self.control.incidents.passed(source.name, text, self.node, at)
            self.waiting.popleft()

    def _look(self, source: Source, fault: str, now: float) -> None:
        before = source.name in self._wrong
        if fault and not before:
            self._wrong[source.name] = now
            if now - self._told.get(source.name, -HUSH) >= HUSH:
                self._told[source.name] = now
                self.waiting.append((source, inert(fault, LONGEST), True, now))
        elif before and not fault:
            lasted = now - self._wrong.pop(source.name)
            if self._told.get(source.name, 0.0) >= now - lasted - 0.001:
                self.waiting.append((source, f"over after {lasted:.0f} s", False, now))

    def _looks(self, now: float) -> Iterator[tuple[Source, str]]:
        """Each source with what is wrong with it now, "" where nothing is."""
        wrong = self._golden()
        yield GOLDEN, wrong
        pipeline = self.live().pipeline
        breaker, state = pipeline.breaker, acting(pipeline.breaker, pipeline.modes.breaker)
        opened = state in (State.OPEN, State.HALF_OPEN) and not wrong  # known rows open it too
        yield BREAKER, breaker.reason or "it is open" if opened else ""
        because = self.stopped()
        yield KILL, f"the model was stopped by {because}" if because else ""
        fault = self.journal.fault
        yield LEDGER, "" if fault is None else " ".join(fault.message.split())
        yield EXTRACTION, self._extraction(now)
        lapsed = self.lapsed()
        yield REVIEWS, self._rising("reviews", lapsed, now, f"cases that nobody decided in time, by now: {lapsed:,}")

    def _golden(self) -> str:
        golden = self.live().golden
        if golden is None or not golden.wrong:
            return ""
        return f"known rows had other scores, {golden.failed} times by now"

    def _extraction(self, now: float) -> str:
        """REVISE or more of a client, in shadow too; a note alone is one honest client in twenty."""
        cells = self.counted.cells.copy()
        alarms = sum(
            many
            for (name, labels), many in cells.items()
            if name == "stage_decisions_total"
            and (found := dict(labels))["stage"] == "extraction"
            and found["level"].upper() in _ALARMS
        )
        return self._rising("extraction", alarms, now, f"the stage has spoken of {alarms:,} requests")

    def _rising(self, name: str, many: int, now: float, told: str) -> str:
        """What is told of a count, as long as it has not been quiet for long."""
        if many > self._counts.get(name, (0, 0.0))[0]:
            self._counts[name] = many, now
        return told if name in self._counts and now - self._counts[name][1] < QUIET else ""
