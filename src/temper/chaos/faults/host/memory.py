"""The process gets no more memory."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host
from temper.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Beyond `room_mb` megabytes more than it has now, the process is refused memory: its allocations fail.

    Misleads about a container's limit, which counts what is used and kills: this one counts address space and refuses.
    Source: getrlimit(2), RLIMIT_AS.

    >>> Memory(room_mb=8)
    Memory(room_mb=8)
    """

    room_mb: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.room_mb < 1e6:
            raise ConfigError(f"room for {self.room_mb!r} MB", fix="at least 0")

    def strike(self, host: Host) -> None:
        """Do it to the process; the host takes it back."""
        host.limit("memory", host.size() + int(self.room_mb * 2**20))


PLUGIN = Memory
