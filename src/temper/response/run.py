"""A playbook that is run: checked, done step by step with a person's word, recorded, and taken back where it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from temper.core.errors import StoreError, TemperError
from temper.core.incident import Acted, Response
from temper.response.context import Context, mark
from temper.response.playbook import RESPONSES, Playbook, Step, playbook
from temper.response.record import Record

Line = tuple[str, Step, Response]
WORKED = "it worked"


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One run of a playbook. `say` prints a line; questions go through the context, where None is the word of somebody
    who said yes to everything beforehand. `before` are the steps that are done already, and `undos` what takes them
    back, where a run goes on that was stopped.
    """

    playbook: Playbook
    context: Context
    say: Callable[[str], None]
    settings: Mapping[str, str] = field(default_factory=dict)
    before: frozenset[str] = frozenset()
    undos: list[tuple[str, Response]] = field(default_factory=list)
    goes_on: bool = False
    _record: Record = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._record = Record(context=self.context)

    def dry(self) -> bool:
        """Say what every step would change and what it found; nothing is changed. Whether the checks fit."""
        self.context.dry = True
        fits = True
        for part, steps in (("checks", self.playbook.checks), ("steps", self.playbook.steps)):
            if steps:
                self.say(part)
            for at, (_, step, response) in enumerate(self._lines(part, steps), start=1):
                acted = self._planned(step, response)
                self._tell(at, step, acted, "would: ", risky=response.risky and bool(acted.does))
                fits = fits and (part != "checks" or acted.well)
        self.say("worked, afterwards")
        for at, (_, step, response) in enumerate(self._lines("worked", self.playbook.worked), start=1):
            self._tell(at, step, self._planned(step, response), "")
        self.say(f"undone: {self.playbook.undone}")
        return fits

    def real(self) -> bool:
        """Do it; whether it worked."""
        every = {
            part: self._lines(part, getattr(self.playbook, part)) for part in ("checks", "steps", "worked")
        }  # what cannot be is refused before anything is done
        if self.context.incident is not None:
            self.context.control.incidents.get(self.context.incident)
        self._begin()
        fits = self.goes_on or self._fits(every["checks"])
        well = fits and self._all(every["steps"]) and self._all(every["worked"])
        if not well and self.undos:
            self._offer()
        self._record.tell("end", WORKED if well else "it did not work")
        self._flushed()
        if well:
            self._reached()
        return well

    def _begin(self) -> None:
        book = self.playbook
        told = {"playbook": book.name, "place": book.place, "digest": book.digest, "settings": dict(self.settings)}
        self._record.tell("resume" if self.goes_on else "begin", book.title, **told)

    def _reached(self) -> None:
        """What the incident has come to by this."""
        incident, phase = self.context.incident, self.playbook.reaches
        if incident is not None and phase is not None:
            text = f"playbook {self.playbook.name} worked {mark(self.context.run)}"
            self.context.control.incidents.reach(incident, phase, text, self.context.by, self.context.clock())
            self.say(f"incident {incident} is {phase}")

    def _lines(self, part: str, steps: tuple[Step, ...]) -> list[Line]:
        return [(part, step, step.response(self.settings)) for step in steps]

    def _planned(self, step: Step, response: Response) -> Acted:
        """What a step would do; a step that cannot be planned has found what is in its way."""
        self.context.dry = True
        try:
            return response.act(self.context)
        except (TemperError, OSError) as trouble:
            return Acted(found=_said(trouble), well=False)

    def _fits(self, checks: list[Line]) -> bool:
        if checks:
            self.say("checks")
        wrong = 0
        for at, (_, step, response) in enumerate(checks, start=1):
            acted = self._planned(step, response)
            self._tell(at, step, acted, "")
            self._record.tell("check", acted.found, step=step.name, well=acted.well)
            wrong += not acted.well
        if not wrong:
            return True
        go_on = self.context.asked(f"{wrong} of the checks do not fit: this may be the wrong playbook. Go on?")
        if go_on is None:
            self.say("stopped: the checks do not fit, and with --yes nobody is asked")
        return bool(go_on)

    def _all(self, lines: list[Line]) -> bool:
        """Steps in their order, up to the first that fails."""
        if lines:
            self.say(lines[0][0])
        return all(self._one(at, step, response) for at, (_, step, response) in enumerate(lines, start=1))

    def _one(self, at: int, step: Step, response: Response) -> bool:
        self.context.why = f"playbook {self.playbook.name}, {step.name}"
        if step in self.playbook.steps and step.name in self.before:
            self.say(f"  ✓ {at} {step.name} [{step.do}]: was done before")
            return True
        planned = self._planned(step, response)
        waits = getattr(response, "seconds", 0.0) > 0.0
        if not waits and (not planned.well or not planned.does):
            self._tell(at, step, planned, "")
            self._record.tell("done" if planned.well else "failed", planned.found, step=step.name)
            return planned.well
        if response.risky and not self._agreed(at, step, planned):
            self._record.tell("failed", "a person said no", step=step.name)
            return False
        undo = {} if planned.undo is None else {"undo": document(planned.undo)}
        self._record.tell("step", planned.does or planned.found, step=step.name, **undo)
        if planned.undo is not None:
            self.undos.append((step.name, planned.undo))
        acted = self._done(response)
        self._tell(at, step, acted, "")
        kept = {"evidence": acted.evidence} if acted.evidence else {}
        self._record.tell("done" if acted.well else "failed", acted.does or acted.found, step=step.name, **kept)
        return acted.well

    def _agreed(self, at: int, step: Step, planned: Acted) -> bool:
        stays = f"; {planned.lasting}" if planned.lasting else ""
        said = self.context.asked(f"{at} {step.name}: {planned.found}; {planned.does}{stays}. Do it?")
        if said is False:
            self.say(f"  {at} {step.name}: stopped by {self.context.by}")
        return said is not False

    def _done(self, response: Response) -> Acted:
        self.context.dry = False
        try:
            return response.act(self.context)
        except (TemperError, OSError) as trouble:
            return Acted(found=_said(trouble), well=False)
        finally:
            self.context.dry = True

    def _offer(self) -> None:
        """Take back what was done, if somebody says so."""
        names = ", ".join(name for name, _ in self.undos)
        if self.context.asked(f"Undo what was done ({names})?"):
            for name, undo in originals(self.undos):
                acted = self._done(undo)
                self.say(f"  undone, {name}: {acted.found}" + (f"; {acted.does}" if acted.does else ""))
                self._record.tell("undone", acted.does or acted.found, step=name, well=acted.well)
        else:
            self.say(f"what was done stays; to take it back: temper respond undo {self.context.run}")
            self.say(f"to go on where it stopped: temper respond resume {self.context.run}")

    def _tell(self, at: int, step: Step, acted: Acted, would: str, risky: bool = False) -> None:
        self.say(f"  {'✓' if acted.well else '✗'} {at} {step.name} [{step.do}]: {acted.found}")
        if acted.does:
            self.say(f"      {would}{acted.does}{' (asks first)' if risky else ''}")
        if would and acted.undo is not None:
            self.say("      undone by: what it was before is set again")
        if would and acted.lasting:
            self.say(f"      not undone: {acted.lasting}")

    def _flushed(self) -> None:
        try:
            self._record.flush()
        except StoreError:
            self.say("the control store does not answer, so this was not written into its audit; keep it:")
            for action, text, at, _ in self._record.waiting:
                self.say(f"  {at:.0f} {self.context.by} {action}: {text}")


def resumed(context: Context, say: Callable[[str], None]) -> Run:
    """A run that stopped or was killed, ready to go on: what is done is left out, what was under way is done again.

    Raises `TemperError` for one that worked, was taken back, or whose playbook is another by now.
    """
    rows = context.control.runs.read(context.run)
    if not rows or rows[0]["action"] != "begin":
        raise TemperError(f"there is no run {context.run!r}", fix="`temper respond run` names each run it begins")
    begun = rows[0]
    if rows[-1]["action"] == "end" and rows[-1]["text"] == WORKED:
        raise TemperError(f"run {context.run} has worked", fix="begin another")
    if any(row["action"] == "undone" for row in rows):
        raise TemperError(f"run {context.run} was taken back", fix="begin another")
    book = playbook(str(begun["place"] or begun["playbook"]))
    if book.digest != begun["digest"]:
        raise TemperError(f"the playbook {book.name} has changed since run {context.run}", fix="begin another run")
    context.incident = begun.get("incident")
    return Run(
        playbook=book,
        context=context,
        say=say,
        settings=book.set(begun["settings"]),
        before=frozenset(row["step"] for row in rows if row["action"] == "done"),
        undos=_kept(rows),
        goes_on=True,
    )


def _kept(rows: list[dict[str, Any]]) -> list[tuple[str, Response]]:
    """What takes back the steps of a run, from its record."""
    return [(row["step"], built(row["undo"])) for row in rows if row["action"] == "step" and "undo" in row]


def undo(context: Context, say: Callable[[str], None]) -> bool:
    """Take back what a run changed, from its record, the last first; what somebody has set since stays."""
    rows = context.control.runs.read(context.run)
    if not rows:
        raise TemperError(f"there is no run {context.run!r}", fix="`temper respond run` names each run it begins")
    context.incident = rows[0].get("incident")
    context.why = f"{rows[0].get('playbook', 'a playbook')} is undone"
    record, well = Record(context=context), True
    undos = _kept(rows)
    if not undos:
        say("this run changed nothing that can be taken back")
    context.dry = False
    for name, response in originals(undos):
        acted = response.act(context)
        say(f"  {name}: {acted.found}" + (f"; {acted.does}" if acted.does else ""))
        record.tell("undone", acted.does or acted.found, step=name, well=acted.well)
        well = well and acted.well
    return well


def originals(undos: list[tuple[str, Response]]) -> list[tuple[str, Response]]:
    """What to do to be where it began, the last change first: of several changes of one switch only the first one knows
    how it stood.
    """
    first: dict[Any, tuple[str, Response]] = {}
    for name, response in undos:
        first.setdefault(getattr(response, "kind", response), (name, response))
    return list(reversed(first.values()))


def document(response: Response) -> dict[str, Any]:
    """A response as it is stored.

    >>> from temper.response.responses.kill import Kill
    >>> built(document(Kill(to="off"))) == Kill(to="off")
    True
    """
    return {"do": type(response).__module__.rpartition(".")[2], **asdict(response)}  # type: ignore[call-overload]


def built(stored: Mapping[str, Any]) -> Response:
    """A response from how it is stored; what this Temper does not know is refused."""
    options = dict(stored)
    found: Response = RESPONSES.build(str(options.pop("do")), options)
    return found


def _said(trouble: Exception) -> str:
    return " ".join(str(trouble).split())
