"""The clock is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

from temper.chaos.host import Host
from temper.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """The time of day jumps by `seconds`, forward or back, and back again when the fault is over.

    Misleads about what reads the clock in C (`datetime.now`, a database): that stays right. Simulated inside the
    process, which must run under `temper.chaos.inside`; clocks that only measure spans stay right too.
    Source: the leap second of 2012.

    >>> ClockJump(seconds=-60)
    ClockJump(seconds=-60)
    """

    seconds: float = 3_600.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.seconds) or self.seconds == 0:
            raise ConfigError(f"a jump by {self.seconds!r} s is none", fix="seconds forward, or back (below 0)")

    def strike(self, host: Host) -> None:
        """Do it to the process; the host takes it back."""
        host.order(clock=self.seconds)


PLUGIN = ClockJump
