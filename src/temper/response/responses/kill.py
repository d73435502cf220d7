"""The kill switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context
from temper.response.responses._put import put

WORDS = {"on": True, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Turns the kill switch on (no gateway asks the model any more, the fallback answers everybody) or off.

    Gateways follow within a second or two; one that cannot reach the control store does not.
    """

    risky: ClassVar[bool] = True
    to: str = "on"

    def __post_init__(self) -> None:
        if self.to not in WORDS:
            raise ConfigError(f"a kill switch cannot be {self.to!r}", fix="use on or off")

    def act(self, context: Context) -> Acted:
        record = context.control.records.current("kill")
        now = bool(record is not None and record.value)
        if now == WORDS[self.to]:
            return Acted(found=f"the kill switch is {self.to} already")
        found = f"the kill switch is {'on' if now else 'off'}"
        return put(context, "kill", WORDS[self.to], found, f"the kill switch is turned {self.to}")


PLUGIN = Kill
