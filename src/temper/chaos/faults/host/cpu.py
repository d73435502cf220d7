"""The process has to share one core."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.host import Host
from temper.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """The process is put on one core, with `others` processes beside it that do nothing but compute.

    Misleads about a quota of a container: there it stands still for part of every period, here its turns get rarer.
    Source: Gregg, "Systems performance", 2020 (CPU saturation).

    >>> Cpu(others=2)
    Cpu(others=2)
    """

    others: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.others <= 16:
            raise ConfigError(f"{self.others!r} processes beside it", fix="1 to 16")

    def strike(self, host: Host) -> None:
        """Do it to the process; the host takes it back."""
        host.crowd(self.others)


PLUGIN = Cpu
