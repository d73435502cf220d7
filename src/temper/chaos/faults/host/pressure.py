"""The machine is short of memory."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host
from temper.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """A process beside it holds `share` of the memory that the machine has left, at most `most_mb` megabytes. One part
    in twenty of the machine's memory stays free, and where it gets scarcer all is given back. Taking it may need time:
    half of the fault's at most, then it is what there was time for.

    Misleads in a container: what is left there is not looked at, and the kernel ends the one that holds memory first.
    Source: Gregg, "Systems performance", 2020 (memory saturation).

    >>> Pressure(share=0.25)
    Pressure(share=0.25, most_mb=2048.0)
    """

    share: float = 0.5
    most_mb: float = 2_048.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"a share of memory of {self.share!r}", fix="above 0, at most 1")
        if not 32 <= self.most_mb <= 65_536:
            raise ConfigError(f"at most {self.most_mb!r} MB", fix="32 to 65,536")

    def strike(self, host: Host) -> None:
        """Do it to the machine; the host takes it back."""
        host.fill(self.share, int(self.most_mb * 2**20))


PLUGIN = Pressure
