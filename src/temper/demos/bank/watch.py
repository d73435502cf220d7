"""Every day held against the past by the room `monitoring`, and what is opened and done where that alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.serving import Serving
from temper.core.incident import Acted, Entry, Incident, Response, Severity
from temper.core.incident import Kind as Line
from temper.core.schema import Schema
from temper.core.watch import Kind, Watch, Watched
from temper.core.watch import Seen as Verdict
from temper.demos.bank.guard import DAY, Seen
from temper.kernels.surge import surge_p
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.reference import Reference, Window
from temper.response.context import Context
from temper.response.responses.quota import Quota
from temper.response.responses.threshold import Threshold
from temper.store.control import Control

Array = np.ndarray[Any, Any]
_WATCH = Watch(feed="the bank's payments", time="", false_alarms=0.02)
_QUIET, _SURGE, _BEFORE = 3, 1e-4, 28
REPORTS, OUTAGE = "reports", "outage"


@dataclass(slots=True, kw_only=True, eq=False)
class Monitor:
    """Daily windows against what working days and weekends were like; every model has references of its own scores."""

    schema: Schema
    _references: dict[bool, Reference] = field(default_factory=dict, init=False)
    _before: Watched | None = field(default=None, init=False)

    def learn(self, rows: Array, days: Array, scores: Array, threshold: float) -> None:
        """What is usual from now on."""
        x = np.column_stack([rows, scores])
        self._before = None
        for weekend in (False, True):
            mine = ((days % 7) >= 5) == weekend
            some = x[mine] if mine.sum() > 1 else x
            self._references[weekend] = Reference.fit(some, self.schema, ("score",), threshold=threshold)

    def look(self, number: int, day: Seen, scores: Array, known: Array) -> Watched:
        """The day's window: its payments with a score."""
        x = np.column_stack([day.rows, scores])[known]
        ids, at = number * 10_000_000 + np.flatnonzero(known), (number + day.moment[known]) * DAY
        window = Window.of(self._references[number % 7 >= 5], x, ids, at, day.account[known])
        found = judged(window, _WATCH, number * DAY, (number + 1) * DAY, before=self._before)
        self._before = explained(found, window, self.schema, self._before)
        return self._before


@dataclass(slots=True, kw_only=True, eq=False)
class Incidents:
    """What was opened for what, with a timeline; one at a time for each source."""

    all: list[Incident] = field(default_factory=list)
    _last: dict[str, int] = field(default_factory=dict, init=False)

    def saw(self, number: int, source: str, title: str, severity: Severity) -> Incident | None:
        """The incident, if this opened one. A source that goes on keeps its incident open."""
        self._last[source] = number
        if self.open(source) is not None:
            return None
        one = Incident(
            id=len(self.all) + 1, title=title, severity=severity, source=source, opened=(number + 1) * DAY, by="monitor"
        )
        self.all.append(one)
        self.tell(one.id, number, Line.OPENED, title)
        return one

    def open(self, source: str) -> Incident | None:
        """The open incident of a source."""
        return next((one for one in self.all if one.source == source and one.closed is None), None)

    def tell(self, id: int, number: int, kind: Line, text: str) -> None:
        """A line of a timeline."""
        one = self.all[id - 1]
        entry = Entry(seq=len(one.timeline) + 1, at=(number + 1) * DAY, who="bank", kind=kind, text=text)
        self.all[id - 1] = replace(one, timeline=(*one.timeline, entry))

    def night(self, number: int) -> list[Incident]:
        """Those that are closed, since their source has been quiet for days."""
        over = [one for one in self.all if one.closed is None and number - self._last[one.source] >= _QUIET]
        for one in over:
            self.tell(one.id, number, Line.CLOSED, f"nothing for {_QUIET} days")
            self.all[one.id - 1] = replace(self.all[one.id - 1], closed=(number + 1) * DAY)
        return over


@dataclass(slots=True, kw_only=True, eq=False)
class Playbook:
    """The responses `threshold` and `quota` of the room, on a control store as a gateway follows it; taken back when
    the incident is over.
    """

    folder: Path
    _undo: dict[int, list[Response]] = field(default_factory=dict, init=False)
    _store: Control | None = field(default=None, init=False)

    def run(self, incident: Incident, threshold: float, to: float, most: int) -> list[str]:
        """What was done, in words."""
        done = []
        responses: tuple[Response, ...] = (Threshold(to=to), Quota(per_second=most / DAY, burst=most))
        for at, response in enumerate(responses):
            acted = self._acted(response, incident, threshold)
            if acted.undo is not None:
                self._undo.setdefault(incident.id, []).append(acted.undo)
                done.append(acted.does if at == 0 else f"an account may pay {most} times a day")
        return done

    def undo(self, incident: Incident) -> list[str]:
        """What it had set is as it was before, the last first; what others have set since then stays."""
        acted = [self._acted(undo, incident, None) for undo in reversed(self._undo.pop(incident.id, []))]
        return [one.does or one.found for one in acted]

    def policy(self) -> dict[str, Any]:
        """What a gateway on this store would follow now."""
        record = self._opened().records.current("policy")
        return dict(record.value or {}) if record is not None else {}

    def close(self) -> None:
        """Let the store go."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _opened(self) -> Control:
        if self._store is None:
            self._store = Control.open(str(self.folder / "control.db"))
        return self._store

    def _acted(self, response: Response, incident: Incident, threshold: float | None) -> Acted:
        self._opened()
        context = Context(
            serving=Serving(control=str(self.folder / "control.db")),
            parts=(),
            by="playbook",
            run=f"incident {incident.id}",
            clock=lambda: incident.opened,
            wait=lambda seconds: None,
            asked=lambda question: True,
            dry=False,
            threshold=threshold,
        )
        try:
            return response.act(context)
        finally:
            context.close()


def alarm(found: Watched) -> tuple[str, str, Severity] | None:
    """The source, title and severity of an incident for a window, None where it has no alarm."""
    if found.seen is not Verdict.FAIL or found.kind is None:
        return None
    attack = found.kind is Kind.ATTACK
    why = found.why[0] if found.why else ", ".join(sorted({one.column or one.comparison for one in found.alarms}))
    return found.kind.value, why, Severity.MAJOR if attack else Severity.MINOR


def surges(reports: Sequence[int]) -> bool:
    """Whether more frauds are reported on the last of these days than those before it promise."""
    *before, today = reports
    usual = before[-_BEFORE:]
    return len(usual) >= _BEFORE // 4 and surge_p(today, usual) < _SURGE
