"""What happened, and what is done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

PARTS = ("lead", "scribe", "contact")
"""Who decides, who writes down, and who tells the others, while an incident is open."""


class Severity(StrEnum):
    """How bad it is: clients notice nothing, some do, or answers are wrong, missing or in other hands."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Kind(StrEnum):
    """What a line of a timeline is."""

    OPENED = "opened"
    SIGNAL = "signal"
    NOTE = "note"
    SEVERITY = "severity"
    PART = "part"
    PLAYBOOK = "playbook"
    CLOSED = "closed"


class Remark(StrEnum):
    """What a note is for, where it is more than a note: why it happened, or what is still to be done."""

    CAUSE = "cause"
    TODO = "todo"


class Phase(StrEnum):
    """How far people are with it: it spreads no further, its cause is gone, the service is what it was."""

    CONTAINED = "contained"
    ERADICATED = "eradicated"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """What a program saw of something that is wrong, or (`over`) that it is right again. `source` is the same each time
    the same is wrong. `start` and `at` are the window it was seen in, `since` when it began by what is known then.
    """

    source: str
    at: float
    start: float
    text: str
    title: str = ""
    severity: Severity = Severity.MINOR
    playbook: str = ""
    since: float = 0.0
    over: bool = False

    @property
    def detail(self) -> dict[str, Any]:
        """What a timeline keeps of it beside its words."""
        window = {"start": self.start, "ends": self.at}
        if self.over:
            return {**window, "over": True}
        return {**window, "since": self.since, **({"playbook": self.playbook} if self.playbook else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of an incident's timeline: when, who, what. `at` is in seconds since 1970. Nothing is taken back."""

    seq: int
    at: float
    who: str
    kind: Kind
    text: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened to a system in production. `source` is what a program opened it for, "" where a person
    did; `closed` is None while it is open.
    """

    id: int
    title: str
    severity: Severity
    source: str
    opened: float
    by: str
    closed: float | None = None
    timeline: tuple[Entry, ...] = ()

    @property
    def parts(self) -> dict[str, str]:
        """Who has which part in it now."""
        return {str(one.detail["part"]): str(one.detail["person"]) for one in self.timeline if one.kind is Kind.PART}

    @property
    def playbook(self) -> str:
        """The playbook for it, "" where none is known."""
        return next((str(one.detail["playbook"]) for one in self.timeline if "playbook" in one.detail), "")

    @property
    def causes(self) -> tuple[Entry, ...]:
        """Why it happened, as people have written it down."""
        return tuple(one for one in self.timeline if one.detail.get("remark") == Remark.CAUSE)

    @property
    def todos(self) -> tuple[Entry, ...]:
        """What is still to be done."""
        settled = {one.detail["settles"] for one in self.timeline if "settles" in one.detail}
        todos = (one for one in self.timeline if one.detail.get("remark") == Remark.TODO)
        return tuple(one for one in todos if one.seq not in settled)

    @property
    def evidence(self) -> tuple[Entry, ...]:
        """Where evidence was kept: a path and its digest in `detail`, each once."""
        return tuple({one.detail["evidence"]: one for one in self.timeline if one.detail.get("evidence")}.values())

    @property
    def tests(self) -> tuple[Entry, ...]:
        """Regression tests that were made of it."""
        return tuple(one for one in self.timeline if "test" in one.detail)

    @property
    def noted(self) -> bool:
        """Whether somebody wants the receivers of alerts to be told of it."""
        return any("notice" in one.detail for one in self.timeline)

    @property
    def was(self) -> Severity | None:
        """How bad it was before nobody took it in time; None where somebody did."""
        return next((Severity(one.detail["untaken"]) for one in self.timeline if "untaken" in one.detail), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What a response found, and what it does about it ("" where nothing is left to do). `well` is False where what was
    found is not what was expected. `undo` takes it back; without one `lasting` says why it stays. `evidence` is what it
    has kept: a path and the digest of what lies there.
    """

    found: str
    does: str = ""
    well: bool = True
    undo: Response | None = None
    lasting: str = ""
    evidence: str = ""


class Response(Protocol):
    """A frozen keyword-only dataclass in one file of `response/responses`."""

    @property
    def risky(self) -> bool:
        """Whether a person is asked before it acts."""

    def act(self, context: Any) -> Acted:
        """What was found and done; twice is the same as once, and a dry run changes nothing."""
