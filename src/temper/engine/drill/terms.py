"""What a drill asks of a system."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.arithmetic import HOLD
from temper.core.errors import ConfigError

LONGER = 240.0
"""Seconds that a drill may last beyond its time, where taking the fault back takes long."""
_RECOVERS = 1.5
"""How many times as long as it must hold is looked at after the fault: whoever holds on is still to be seen then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked meanwhile: `rate` requests a second for `seconds`, of which the fault has the second quarter. It
    meets the share `share` of the exchanges, drawn by `seed`. Good is an answer within the gateway's deadline and
    `grace` seconds for the way; `slo` is the share of good ones that is asked for.
    """

    rate: float = 200.0
    seconds: float = 20.0
    share: float = 1.0
    seed: int = 0
    grace: float = 0.05
    slo: float = 0.99

    def __post_init__(self) -> None:
        if not (0 < self.rate <= 10_000 and 1 <= self.seconds <= 3_600):
            raise ConfigError(
                f"{self.rate!r} requests a second for {self.seconds!r} s", fix="up to 10,000 a second, 1 to 3,600 s"
            )
        if not 0 < self.slo < 1:
            raise ConfigError(f"the SLO is {self.slo!r}", fix="a share of requests, between 0 and 1")

    @property
    def hold(self) -> float:
        """Seconds over which it must be well again to count as recovered."""
        return min(HOLD, self.seconds / 4)

    def until(self, over: float) -> float:
        """When the load ends, where the fault was over after so many seconds: in time, or as late as recovery is seen.

        >>> Load(seconds=20.0).until(10.0), Load(seconds=20.0).until(31.0)
        (20.0, 38.5)
        """
        return max(self.seconds, over + _RECOVERS * self.hold)
