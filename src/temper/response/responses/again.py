"""What held before a run is set again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context, mark
from temper.store.control.deployed import BACK
from temper.store.control.records import Record

NEVER = {"breaker": "automatic", "kill": False, "policy": None, "model": dict(BACK)}
"""What holds where nothing was ever put."""
_MARK = re.compile(re.escape(mark("|")).replace(r"\|", r"[\w.@+-]{1,64}"))
WORDS = {"breaker": "breaker", "kill": "kill switch", "policy": "policy", "model": "live model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Sets a breaker, a kill switch, a policy or a model to what it was before a run (`seq` names that record, 0 none).

    It undoes the run's own change alone: what somebody has set since then stays, and it says so.
    """

    risky: ClassVar[bool] = True
    kind: str = "breaker"
    seq: int = 0
    run: str = ""

    def __post_init__(self) -> None:
        if self.kind not in NEVER:
            raise ConfigError(f"there is no record of kind {self.kind!r}", fix=f"use one of {', '.join(NEVER)}")

    def act(self, context: Context) -> Acted:
        current = context.control.records.current(self.kind)
        if current is None or mark(self.run) not in current.reason or current.value == self._value(context):
            return Acted(found=f"the {WORDS[self.kind]} is not what run {self.run} set, so it stays as it is")
        if not context.dry:
            context.put(self.kind, self._value(context), f"undone: {context.why} {mark(self.run)}{self._runs(context)}")
        return Acted(
            found=f"the {WORDS[self.kind]} is as run {self.run} set it",
            does=f"the {WORDS[self.kind]} is what it was before",
        )

    def _value(self, context: Context) -> object:
        before = self._before(context)
        return NEVER[self.kind] if before is None else before.value

    def _runs(self, context: Context) -> str:
        """The runs that had set what holds again: they can be taken back next."""
        before = self._before(context)
        return "" if before is None else "".join(f" {one}" for one in _MARK.findall(before.reason))

    def _before(self, context: Context) -> Record | None:
        history = context.control.records.history(self.kind) if self.seq else []
        return next((record for record in history if record.seq == self.seq), None)


PLUGIN = Again
