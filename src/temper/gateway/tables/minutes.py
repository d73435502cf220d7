"""What was answered in each minute, by status and by time, as a record of the ledger: also requests that no decision
tells of.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from temper.core.errors import StoreError
from temper.core.served import ENDS
from temper.gateway.tables.counted import Counted
from temper.store.ledger.journal import Journal
from temper.store.ledger.record import COUNTS, Counts

EVERY = 60.0
_SCORED = "requests_total"
_COUNTED = (_SCORED, "probes_total")
_STAGE = {"stage": "concurrency", "level": "BLOCK", "mode": "enforce"}


@dataclass(slots=True, kw_only=True, eq=False)
class Minutes:
    """Puts down what came since the last record, once a minute and at the end; a minute without requests has none.

    Requests wait for none of it. What the ledger does not take is counted again; what a killed process had not put
    down, a minute at most, is lost. `shed` says how many were turned away before anything was counted.
    """

    counted: Counted
    journal: Journal
    shed: Callable[[], int] = lambda: 0
    clock: Callable[[], float] = time.monotonic
    _written: _Seen = field(default_factory=lambda: _Seen(), init=False, repr=False)
    _next: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._next = self.clock() + EVERY

    def noted(self) -> None:
        """Put down what is new, if it is time to."""
        now = self.clock()
        if now >= self._next:
            self.note()
            self._next = now + EVERY

    def note(self) -> None:
        """Put down what is new."""
        seen, before = self._seen(), self._written
        statuses = seen.statuses - before.statuses
        if statuses:
            body = Counts(
                statuses=dict(statuses),
                took=dict(seen.took - before.took),
                failed=seen.failed - before.failed,
                overload=seen.overload - before.overload,
            )
            with suppress(StoreError):  # a ledger that fails is told by itself
                self.journal.put(COUNTS, body)
                self._written = seen

    def _seen(self) -> _Seen:
        """All there has been since the start."""
        shed = self.shed()
        seen = _Seen(statuses=Counter({"503": shed}), failed=shed, overload=shed)
        for (name, labels), many in self.counted.cells.items():
            told = dict(labels)
            if name in _COUNTED:
                seen.statuses[told["status"]] += many
                seen.failed += many if name == _SCORED and told["status"] >= "500" else 0
            elif name == "stage_decisions_total" and told == _STAGE:
                seen.overload += many
        seen.took.update(dict(zip(ENDS, self.counted.answered.bars, strict=True)))
        return seen


@dataclass(slots=True, kw_only=True, eq=False)
class _Seen:
    """Counts since a process began."""

    statuses: Counter[str] = field(default_factory=Counter)
    took: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    overload: int = 0
