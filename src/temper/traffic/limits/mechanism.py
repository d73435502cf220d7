"""What every mechanism does that limits a process."""

from __future__ import annotations

from typing import ClassVar, Protocol

from temper.traffic.limits.ordered import Ordered


class Refused(Exception):
    """This mechanism cannot be used here, with the reason."""


class Mechanism(Protocol):
    """One way to hold a process to a limit. `by` is its name for people.

    Both may raise OSError.
    """

    by: ClassVar[str]

    def place(self, pid: int, order: Ordered, tag: str) -> float:
        """Set it, and say what the kernel then answers, in the units of the order. Refused where it cannot be set."""
        ...

    def seen(self, pid: int) -> str:
        """What it did, in words: shares since it was last asked, what was most since the process started."""
        ...
