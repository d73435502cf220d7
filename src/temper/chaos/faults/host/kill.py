"""The process is killed."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """The process is killed, without a word, and started anew when the fault is over.

    Misleads about how long a supervisor takes: here the new start is the drill's own.
    Source: Basiri et al., "Chaos engineering", 2016 (Chaos Monkey).

    >>> Kill()
    Kill()
    """

    def strike(self, host: Host) -> None:
        """Do it to the process; the host takes it back."""
        host.kill()


PLUGIN = Kill
