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
class Playbook:
    """Responses in order for a kind of incident."""

    name: str
    when: str
    responses: tuple[str, ...]


class Response(Protocol):
    """A frozen keyword-only dataclass in one file of `response/responses`."""

    def act(self, incident: Incident, context: Any) -> tuple[Entry, ...]:
        """Timeline entries; twice is the same as once, and a dry run changes nothing."""
