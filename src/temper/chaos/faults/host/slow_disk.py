"""The disk takes its time."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host
from temper.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDisk:
    """Every flush to the disk takes `ms` milliseconds more.

    Misleads about flushes that the process does not do itself: a database's are as fast as ever. Simulated inside the
    process, which must run under `temper.chaos.inside`.
    Source: Pillai et al., "All file systems are not created equal", 2014 (what waits for a flush).

    >>> SlowDisk(ms=50)
    SlowDisk(ms=50)
    """

    ms: float = 100.0

    def __post_init__(self) -> None:
        if not 0 < self.ms <= 60_000:
            raise ConfigError(f"a flush of {self.ms!r} ms", fix="above 0, at most 60,000")

    def strike(self, host: Host) -> None:
        """Do it to the process; the host takes it back."""
        host.order(fsync=self.ms / 1e3)


PLUGIN = SlowDisk
