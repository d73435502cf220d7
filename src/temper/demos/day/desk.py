"""The analyst's desk, SIMULATED in who sits there: playbooks are tried and run, incidents noted and closed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from temper.config.reading import read
from temper.config.serving import Serving, serving_of
from temper.core.errors import TemperError
from temper.core.incident import Incident, Phase
from temper.response.context import Context, mark
from temper.response.figures import series, text
from temper.response.playbook import playbook
from temper.response.run import Run, undo
from temper.store.control import Control

ANALYST = "ana"
_PATIENCE = 60.0
"""Seconds within which a gateway has to follow; it needs one or two."""


@dataclass(slots=True, kw_only=True, eq=False)
class Desk:
    """Runs playbooks on the gateway at `url` for whoever is `asked`; `runs` are those that it ran, by incident."""

    config: Path
    url: str
    control: Control
    feed: str
    threshold: float | None
    asked: Callable[[str], bool]
    say: Callable[[str], None]
    runs: dict[int, str] = field(default_factory=dict, init=False)

    def take(self, incident: Incident, note: str, clock: Callable[[], float]) -> None:
        """Lead it, with a word why nothing is changed."""
        self.control.incidents.assign(incident.id, "lead", ANALYST, ANALYST, clock())
        self.control.incidents.note(incident.id, note, ANALYST, clock())
        self.say(f"{ANALYST} takes it: {note}")

    def contain(
        self,
        incident: Incident,
        name: str,
        settings: Mapping[str, str],
        clock: Callable[[], float],
        asked: Callable[[str], bool],
    ) -> tuple[bool, float]:
        """Take the incident, try the playbook without effect, and run it: whether it worked, in how many seconds."""
        began, before = time.monotonic(), self._since()
        self.control.incidents.assign(incident.id, "lead", ANALYST, ANALYST, clock())
        found = playbook(name)
        given = {one.name: settings[one.name] for one in found.settings if one.name in settings}
        run = Run(
            playbook=found,
            context=self._context(incident.id, clock, asked),
            say=self.say,
            settings=found.set(given),
        )
        try:
            self.say(f"temper respond run {name} --incident {incident.id} --dry-run")
            run.dry()
            self.say(f"temper respond run {name} --incident {incident.id}")
            well = run.real()
        finally:
            run.context.close()
        self.runs[incident.id] = run.context.run
        self._followed(before, run.context.run)
        return well, time.monotonic() - began

    def take_back(self, incident: Incident, clock: Callable[[], float]) -> bool:
        """Undo what the playbook of this incident has set."""
        context = self._context(incident.id, clock, self.asked)
        context.run = self.runs[incident.id]
        self.say(f"temper respond undo {context.run}")
        before = self._since()
        try:
            well = undo(context, self.say)
            self._followed(before, context.run)
            return well
        finally:
            context.close()

    def _followed(self, before: float, run: str) -> None:
        """Return once the gateway has taken up the policy that this run has set, if it has set one."""
        record = self.control.records.current("policy")
        if record is None or mark(run) not in record.reason:
            return
        until = time.monotonic() + _PATIENCE
        while self._since() <= before:
            if time.monotonic() > until:
                raise TemperError("the gateway does not take up its new policy", fix="look into .temper/gateway.log")
            time.sleep(0.1)

    def _since(self) -> float:
        """When the gateway's policy changed last, as it says."""
        told = series(text(f"{self.url}/metrics"))
        return next(value for name, _, value in told if name == "temper_policy_since")

    def close(self, incident: Incident, why: str, clock: Callable[[], float]) -> None:
        """Close it with what ended it: the service is what it was."""
        self.control.incidents.reach(incident.id, Phase.RECOVERED, why, ANALYST, clock())
        self.control.incidents.close(incident.id, why, ANALYST, clock())

    def _context(self, incident: int, clock: Callable[[], float], asked: Callable[[str], bool]) -> Context:
        serving = self._serving()
        return Context(
            serving=serving,
            config=str(self.config),
            feed=self.feed,
            threshold=self.threshold,
            parts=tuple(name for name, _, _ in serving.stages),
            by=ANALYST,
            run=secrets.token_hex(4),
            clock=clock,
            wait=time.sleep,
            asked=asked,
            gateway=self.url,
            incident=incident,
        )

    def _serving(self) -> Serving:
        return serving_of(read(self.config), self.config.absolute().parent)
