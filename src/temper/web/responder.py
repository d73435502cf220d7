"""Playbooks that are run from the console: one of an incident at a time, each question put to the person who began it.

A run is a thread of this process. Every step stands in the store before it is done, so when the console is killed
meanwhile, `temper respond undo RUN` takes back what was done, as after a run in a terminal.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from temper.config.serving import Serving
from temper.core.errors import TemperError
from temper.core.review import Conflict, Forbidden
from temper.response.context import Context
from temper.response.playbook import Playbook
from temper.response.run import Run

_LOG = logging.getLogger(__name__)
PATIENCE = 1_800.0
"""Seconds in which a question is answered; nobody's answer is a no."""


@dataclass(slots=True, kw_only=True, eq=False)
class Going:
    """A run: what it has said so far, the question it waits for ("" none) and which of its questions that is, and how
    it ended (None: it has not).
    """

    run: str
    playbook: str
    by: str
    said: list[str] = field(default_factory=list)
    question: str = ""
    turn: int = 0
    worked: bool | None = None
    _answer: bool = False
    _answered: threading.Event = field(default_factory=threading.Event)

    def asked(self, question: str) -> bool:
        """Wait for the answer of the person who began it."""
        self._answer, self.turn, self.question = False, self.turn + 1, question
        self._answered.wait(PATIENCE)
        self._answered.clear()
        self.question = ""
        return self._answer

    def answer(self, yes: bool) -> None:
        """Let it go on."""
        self._answer = yes
        self._answered.set()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Responder:
    """What playbooks of this console work on: the guard of a temper.yaml, the names of its stages and a gateway."""

    serving: Serving
    parts: tuple[str, ...]
    gateway: str
    clock: Callable[[], float] = time.time
    wait: Callable[[float], None] = time.sleep
    _going: dict[int, Going] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def tried(self, playbook: Playbook, settings: Mapping[str, str], incident: int, by: str) -> tuple[bool, list[str]]:
        """A dry run: whether its checks fit, and what it said."""
        said: list[str] = []
        context = self._context(by, secrets.token_hex(4), incident)
        try:
            fits = Run(playbook=playbook, context=context, say=said.append, settings=settings).dry()
        finally:
            context.close()
        return fits, said

    def begin(self, playbook: Playbook, settings: Mapping[str, str], incident: int, by: str) -> Going:
        """Run it from now on. Raises `Conflict` while another run for this incident goes on."""
        with self._lock:
            before = self._going.get(incident)
            if before is not None and before.worked is None:
                raise Conflict(f"run {before.run} of {before.playbook} goes on", fix="wait until it has ended")
            going = Going(run=secrets.token_hex(4), playbook=playbook.name, by=by)
            self._going[incident] = going
        work = threading.Thread(target=self._run, args=(going, playbook, settings, incident), daemon=True)
        work.start()
        return going

    def of(self, incident: int) -> Going | None:
        """The latest run for this incident that this console began."""
        return self._going.get(incident)

    def answer(self, incident: int, run: str, turn: int, yes: bool, by: str) -> None:
        """What the person who began a run says to the question that it waits for, and to no other."""
        going = self._going.get(incident)
        if going is None or going.run != run or going.turn != turn or not going.question:
            raise Conflict("the run does not ask this any more", fix="look at the incident again")
        if going.by != by:
            raise Forbidden(f"{going.by} began this run and answers its questions", fix="ask them")
        going.answer(yes)

    def _run(self, going: Going, playbook: Playbook, settings: Mapping[str, str], incident: int) -> None:
        context = self._context(going.by, going.run, incident, going.asked)
        worked = False
        try:
            worked = Run(playbook=playbook, context=context, say=going.said.append, settings=settings).real()
        except TemperError as trouble:
            going.said.append(trouble.message)
        except Exception as crash:
            _LOG.error("a playbook failed: %s", type(crash).__name__)
            going.said.append(f"it failed; what was done is taken back by: temper respond undo {going.run}")
        finally:
            context.close()
            going.worked = worked

    def _context(
        self, by: str, run: str, incident: int, asked: Callable[[str], bool | None] = lambda question: None
    ) -> Context:
        context = Context(
            serving=self.serving,
            parts=self.parts,
            by=by,
            run=run,
            clock=self.clock,
            wait=self.wait,
            asked=asked,
            gateway=self.gateway,
        )
        context.incident = incident
        return context
