"""What a run did, written into the audit of the control store as it happens; kept until the store is back where it is
the store that is down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from temper.core.errors import StoreError
from temper.response.context import Context


@dataclass(slots=True, kw_only=True, eq=False)
class Record:
    """The record of one run. A store that is down stops nobody here: what changes the store asks it anyway."""

    context: Context
    waiting: list[tuple[str, str, float, dict[str, Any]]] = field(default_factory=list)

    def tell(self, action: str, text: str, **detail: Any) -> None:
        """Write a line, and those that wait before it."""
        self.waiting.append((action, text, self.context.clock(), detail))
        try:
            self.flush()
        except StoreError:
            return  # it waits for the next line, or for the end

    def flush(self) -> None:
        """Write what waits; raises `StoreError` where the store does not answer."""
        while self.waiting:
            action, text, at, detail = self.waiting[0]
            self.context.control.runs.tell(
                self.context.run, action, text, self.context.by, at, self.context.incident, **detail
            )
            del self.waiting[0]
