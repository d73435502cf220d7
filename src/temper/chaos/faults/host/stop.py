"""The process does nothing any more."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The process is stopped: its connections stay open, and nothing comes.

    Misleads about a process that is stuck in one thread: here all of them stand still.
    Source: Nygard, "Release It!", 2007 (blocked threads).

    >>> Stop()
    Stop()
    """

    def strike(self, host: Host) -> None:
        """Do it to the process; the host takes it back."""
        host.stop()


PLUGIN = Stop
