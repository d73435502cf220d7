"""People behind a campaign's target (SIMULATED): they take incidents and run their playbooks, step by step."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from temper.config.serving import Serving
from temper.core.answering import Team
from temper.core.errors import TemperError
from temper.core.incident import Acted, Phase
from temper.core.waged import Answered
from temper.guard.serving.parts import PARTS
from temper.response.context import Context
from temper.response.playbook import Playbook, Step, playbook
from temper.response.record import Record
from temper.response.run import WORKED, built, document, undo
from temper.store.control import Control

_LONGEST = 300
BY, TRAIL = "campaign-team", "extraction"
"""Who acts; and the source of incidents that the guard's trails of clients open, as a gateway calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What alarmed: rows from `start` to `end`, told at `at` under `name`, with its playbook. `client` stands out, ""
    where nobody does; `honest`: it alarms without the campaign too. The same `source` is one incident.
    """

    start: float
    end: float
    at: float
    name: str
    source: str
    playbook: str = ""
    client: str = ""
    honest: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class _Work:
    """One run of a playbook."""

    run: str
    incident: int
    seen: Seen
    book: Playbook
    settings: dict[str, str]
    changed: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class People:
    """One incident after the other, `takes` seconds after it was opened and `team.step` for each step of its playbook.
    What a step sets is set in the control store by the response of the playbook, and `follow` is told; what cannot be
    taken back, and what looks at a gateway or a ledger, takes its time and changes nothing.

    They set what the team says, else: the client that stands out, and a threshold at which twice as many rows are
    flagged for each that passes (`stricter`, each time anew). `wall` makes the store's time of the campaign's.
    """

    control: Control
    serving: Serving
    team: Team
    takes: float
    threshold: float | None
    run: str
    follow: Callable[[Control], None]
    stricter: Callable[[int], float | None]
    wall: Callable[[float], float] = lambda at: at
    answered: list[Answered] = field(default_factory=list)
    through: dict[int, float] = field(default_factory=dict)
    """When the playbook of an incident had contained it."""
    _due: deque[tuple[float, _Work, Step]] = field(default_factory=deque, init=False, repr=False)
    _free: float = field(default=0.0, init=False, repr=False)
    _runs: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _spent: set[tuple[str, str | None]] = field(default_factory=set, init=False, repr=False)
    """Sources whose playbook changes nothing more (None), or cannot be run for this client."""

    @property
    def due(self) -> float:
        """When the next step is done; never, where nothing is to do."""
        return self._due[0][0] if self._due else float("inf")

    @property
    def runs(self) -> list[str]:
        """Every run of a playbook that was begun."""
        return [f"{self.run}-{at}" for at in range(self._runs.total())]

    def take(self, seen: Seen, incident: int) -> None:
        """See to an incident, unless somebody does or nothing more can be done by its playbook."""
        if not seen.playbook or {(seen.source, None), (seen.source, seen.client)} & self._spent:
            return
        if seen.source != TRAIL and any(work.incident == incident for _, work, _ in self._due):
            return
        book = playbook(self.team.playbooks.get(seen.playbook, seen.playbook))
        begins = max(seen.at + self.takes, self._free)
        run = f"{self.run}-{self._runs.total()}"
        try:
            settings = book.set(self._settings(book, seen))
        except TemperError as refused:
            self._spent.add((seen.source, seen.client))
            self._tell(begins, incident, seen, book, "", f"not run: {_said(refused)}")
            return
        self._runs[seen.source] += 1
        work = _Work(run=run, incident=incident, seen=seen, book=book, settings=settings)
        for at, step in enumerate(book.steps, start=1):
            self._due.append((begins + at * self.team.step, work, step))
        self._free = self._due[-1][0]

    def act(self) -> None:
        """Do the step that is due."""
        at, work, step = self._due.popleft()
        with closing(self._context(at, work.run, work.incident)) as context:
            record = Record(context=context)
            if step is work.book.steps[0]:
                record.tell("begin", work.book.title, playbook=work.book.name, settings=dict(work.settings))
            try:
                acted = self._acted(context, record, step, work)
                text = acted.does if acted.undo is not None else acted.found
            except (TemperError, OSError) as trouble:
                acted, text = Acted(found="", well=False), f"not done: {_said(trouble)}"
            changed = acted.undo is not None
            self._tell(at, work.incident, work.seen, work.book, step.name, text, changed=changed)
            if step is work.book.steps[-1]:
                self._ended(at, work, record)

    def take_back(self, at: float) -> list[str]:
        """Everything that these runs have set is as it was before, the last first; in words."""
        said: list[str] = []
        for run in reversed(self.runs):
            with closing(self._context(at, run, None)) as context:
                if context.control.runs.read(run):
                    undo(context, said.append)
        return said

    def _acted(self, context: Context, record: Record, step: Step, work: _Work) -> Acted:
        response = step.response(work.settings)
        planned: Acted = response.act(context)
        if planned.undo is None and (before := _before(context, step)):
            work.changed = True  # by the process that was killed; it holds still
            return replace(planned, does=str(before["text"]), undo=built(before["undo"]))
        if planned.undo is None:
            return planned
        record.tell("step", planned.does or planned.found, step=step.name, undo=document(planned.undo))
        context.dry = False
        acted: Acted = response.act(context)
        record.tell("done", acted.does or acted.found, step=step.name, undo=document(planned.undo))
        work.changed = True
        self.follow(self.control)
        return acted

    def _ended(self, at: float, work: _Work, record: Record) -> None:
        record.tell("end", WORKED if work.changed else "it changed nothing")
        if not work.changed:
            self._spent.add((work.seen.source, None))
        if work.book.reaches is Phase.CONTAINED and (work.changed or self.through):
            self.through.setdefault(work.incident, at)
            text = f"playbook {work.book.name} is through"
            self.control.incidents.reach(work.incident, Phase.CONTAINED, text, BY, self.wall(at))

    def _settings(self, book: Playbook, seen: Seen) -> dict[str, str]:
        """What people set: what the team says, else what they would choose of what has no usual value."""
        stricter = self.stricter(self._runs[seen.source] + 1)
        own = {"client": seen.client} | ({} if stricter is None else {"threshold": f"{stricter:.6g}"})
        chosen = {one.name: own[one.name] for one in book.settings if one.usual is None and one.name in own}
        known = {one.name for one in book.settings}
        return chosen | {name: value for name, value in self.team.settings.items() if name in known}

    def _context(self, at: float, run: str, incident: int | None) -> Context:
        return Context(
            serving=self.serving,
            parts=PARTS,
            by=BY,
            run=run,
            clock=lambda: self.wall(at),
            wait=lambda seconds: None,
            incident=incident,
            threshold=self.threshold,
        )

    def _tell(
        self, at: float, incident: int, seen: Seen, book: Playbook, step: str, text: str, *, changed: bool = False
    ) -> None:
        said = Answered(
            at=at,
            incident=incident,
            alarm=seen.name,
            playbook=book.name,
            step=step,
            text=" ".join(text.replace(f"{Path(self.serving.audit).parent}/", "").split())[:_LONGEST],
            changed=changed,
            honest=seen.honest,
        )
        self.answered.append(said)


def _before(context: Context, step: Step) -> dict[str, Any] | None:
    """What this run did in this step already, in a process that was killed."""
    rows = context.control.runs.read(context.run)
    return next((row for row in rows if row["action"] == "done" and row["step"] == step.name and "undo" in row), None)


def _said(trouble: Exception) -> str:
    return trouble.message if isinstance(trouble, TemperError) else str(trouble)
