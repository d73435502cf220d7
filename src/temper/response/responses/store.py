"""The control store itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError, StoreError
from temper.core.incident import Acted
from temper.response.context import Context

PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Looks whether the control store `answers` or is `down`, as was expected; for `seconds` it is tried again. With
    `audit: true` the whole chain of its audit is read.

    One machine's view: a network may be cut for it alone.
    """

    risky: ClassVar[bool] = False
    expect: str = "answers"
    audit: bool = False
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.expect not in ("answers", "down"):
            raise ConfigError(f"a control store cannot be expected to be {self.expect!r}", fix="use answers or down")

    def act(self, context: Context) -> Acted:
        ends = 0.0 if context.dry else self.seconds
        while True:
            said, holds = self._asked(context)
            well = holds if self.expect == "answers" else not holds
            if well or ends <= 0:
                return Acted(found=said, well=well)
            context.wait(min(PAUSE, ends))
            ends -= PAUSE

    def _asked(self, context: Context) -> tuple[str, bool]:
        try:
            many, _ = context.control.audit.head()
            faults = context.control.audit.verify() if self.audit else []
        except StoreError as down:
            return f"the control store does not answer: {down.message}", False
        if faults:
            return f"the audit of the control store does not hold: {faults[0]}", False
        return f"the control store answers, {many:,} changes" + (", its audit holds" if self.audit else ""), True


PLUGIN = Store
