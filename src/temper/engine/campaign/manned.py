"""A door with people behind it: what is seen of the campaign opens incidents, and playbooks act while it goes on."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.alert import Alerting
from temper.core.incident import Severity
from temper.core.watch import Seen as Says
from temper.core.watch import Watched
from temper.engine.campaign.door import Door, Told
from temper.engine.campaign.people import TRAIL, People, Seen
from temper.engine.campaign.windows import Windows
from temper.monitoring.alerts import alerts
from temper.monitoring.opening import BY as MONITOR
from temper.monitoring.opening import symptoms

Array = np.ndarray[Any, Any]
TRAILS = ("extraction",)
"""Stages that look at the trail of a client: what they object to is somebody, and not a strange row."""
_NAMED, _ABSENT = 3, 1_000_000


@dataclass(slots=True, kw_only=True, eq=False)
class Manned:
    """The same door. Before each question all that was due by then has happened: windows that ended were judged, steps
    of playbooks were taken. Where they do not act (`acts`) people stand beside, and contain nothing. `held` is let go
    with it.
    """

    door: Door
    windows: Windows
    people: People
    alerting: Alerting
    acts: bool = True
    held: ExitStack = field(default_factory=ExitStack)
    trails: list[Seen] = field(default_factory=list)
    windowed: list[Seen] = field(default_factory=list)
    """What trails and windows showed of the campaign; what alarms without it too is left out."""
    told: dict[str, float] = field(default_factory=dict)
    """Alerts of the monitor by their titles, and when they were first told."""
    false: int = 0
    simulated: bool = field(init=False)
    _incidents: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _known: set[str] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        self.simulated = self.door.simulated

    @property
    def asked(self) -> int:
        """Rows that the system answered."""
        return self.door.asked

    @property
    def reused(self) -> int:
        """Rows that the journal answered."""
        return self.door.reused

    @property
    def now(self) -> float:
        """Seconds since the campaign began."""
        return self.door.now

    @property
    def day(self) -> float:
        """The time of the day."""
        return self.door.day

    def wait(self, seconds: float) -> None:
        """What is due meanwhile happens before the next question."""
        self.door.wait(seconds)

    def expect(self, rows: Array) -> None:
        """As the door does."""
        self.door.expect(rows)

    def ask(self, row: Array, account: str, pace: float) -> Told:
        """The answer of a system that people look after."""
        self.until(self.door.now + pace)
        told = self.door.ask(row, account, pace)
        if told.status == 200:
            self.windows.take(row, told.at, account)
        if stage := next((one for one in told.why if one.startswith(TRAILS)), ""):
            self._trail(stage, account, told.at)
        return told

    def teach(self, x: Array, y: Array) -> int:
        """As the door does."""
        return self.door.teach(x, y)

    def until(self, now: float) -> None:
        """Everything that happens up to this time, in its order."""
        while min(self.windows.ends, self.people.due) <= now:
            if self.windows.ends <= self.people.due:
                self._window()
            else:
                self.people.act()

    def finish(self) -> None:
        """The attackers are gone: the window with their last rows is judged, and people end what they have begun."""
        while self.windows.open:
            self.until(self.windows.ends)
        while np.isfinite(self.people.due):
            self.people.act()

    def through(self, seen: Seen) -> float | None:
        """When the playbook for what was seen had contained it."""
        return self.people.through.get(self._incidents[seen.source]) if self.acts else None

    @property
    def contained(self) -> float | None:
        """When the first playbook that contains was through."""
        return min(self.people.through.values(), default=None) if self.acts else None

    def close(self) -> None:
        """Let everything go."""
        self.door.close()
        self.held.close()

    def _window(self) -> None:
        at = self.windows.ends
        mixed, alone, client = self.windows.close()
        false = _names(alone)
        self.false += alone.seen is Says.FAIL
        for alert in alerts(self.windows.mixed.told, self.alerting, self.windows.watch.feed):
            self.told.setdefault(alert.title, at)
        if mixed.seen is not Says.FAIL:
            return
        names = _names(mixed)
        new = names - false
        said: dict[str, Any] = {
            "start": mixed.start,
            "end": mixed.ends,
            "at": at,
            "name": _named(mixed, new or names),
            "client": client,
        }
        for one in symptoms([mixed], _ABSENT, self.windows.watch.feed):
            if not one.over:
                seen = Seen(source=one.source, playbook=one.playbook, honest=not new, **said)
                self.windowed += [seen] if new else []
                self._saw(seen, one.title, one.text)

    def _trail(self, stage: str, account: str, at: float) -> None:
        """A gateway opens one incident for all of them; people see to each client once."""
        seen = Seen(
            start=at, end=at, at=at, name=f"guard: {stage}", source=TRAIL, playbook="extraction", client=account
        )
        self.trails.append(seen)
        if account not in self._known:
            self._known.add(account)
            self._saw(seen, "somebody may be copying the model", f"stage {stage} objects to a client")

    def _saw(self, seen: Seen, title: str, text: str) -> None:
        at = self.people.wall(seen.at)
        incident = self.people.control.incidents.signal(
            seen.source, title, Severity.MAJOR, text, MONITOR, at, seen.playbook
        )
        self._incidents[seen.source] = incident
        self.people.take(seen, incident)


def _names(window: Watched) -> set[str]:
    """What alarms in it."""
    return {alarm.comparison for alarm in window.alarms} | {f"stream {shift.column}" for shift in window.shifts}


def _named(window: Watched, new: set[str]) -> str:
    kind = f" ({window.kind.value})" if window.kind is not None else ""
    names = sorted(new)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"monitor: {', '.join(names[:_NAMED])}{more}{kind}"
