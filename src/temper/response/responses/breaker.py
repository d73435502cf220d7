"""The breaker of every gateway on the store, by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context
from temper.response.responses._put import put

STATES = ("open", "closed", "automatic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Forces the breaker open (the model is left alone, the fallback answers) or closed (the model is asked whatever
    happens), or lets it decide by itself again.

    Gateways follow within a second or two; one that cannot reach the control store does not.
    """

    risky: ClassVar[bool] = True
    to: str = "automatic"

    def __post_init__(self) -> None:
        if self.to not in STATES:
            raise ConfigError(f"a breaker cannot be set to {self.to!r}", fix=f"use one of {', '.join(STATES)}")

    def act(self, context: Context) -> Acted:
        record = context.control.records.current("breaker")
        now = "automatic" if record is None else str(record.value)
        if now == self.to:
            return Acted(found=f"the breaker is {now} already")
        return put(context, "breaker", self.to, f"the breaker is {now}", f"the breaker is set to {self.to}")


PLUGIN = Breaker
