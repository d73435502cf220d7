"""What happened, and what is done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of an incident's timeline, written before the action it announces."""

    at: datetime
    actor: str
    text: str
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened to a system in production."""

    id: str
    title: str
    severity: str
    opened: datetime
    scenario: str = ""
    state: str = "open"
    timeline: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What a response found, and what it does about it ("" where nothing is left to do). `well` is False where what was
    found is not what was expected. `undo` takes it back; without one `lasting` says why it stays.
    """

    found: str
    does: str = ""
    well: bool = True
    undo: Response | None = None
    lasting: str = ""


class Response(Protocol):
    """A frozen keyword-only dataclass in one file of `response/responses`."""

    @property
    def risky(self) -> bool:
        """Whether a person is asked before it acts."""

    def act(self, context: Any) -> Acted:
        """What was found and done; twice is the same as once, and a dry run changes nothing."""
