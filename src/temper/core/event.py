"""What happens during a run, for reporters, consoles and metrics; one stream serves them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`kind`: planned, started, progress, finished, reused, failed, stopped, note. `share` is in [0, 1]."""

    kind: str
    task: str = ""
    room: str = ""
    share: float = 0.0
    done: int = 0
    total: int = 0
    message: str = ""
    seconds: float = 0.0


class Listener(Protocol):
    """Anything that wants the stream."""

    def __call__(self, event: Event) -> None:
        """Take one event; must not raise and must return quickly."""


def silent(event: Event) -> None:
    """The listener that ignores everything."""
