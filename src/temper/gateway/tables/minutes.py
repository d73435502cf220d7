"""What was answered in each minute, by status, as a record of the ledger: also requests that no decision tells of."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from temper.core.errors import StoreError
from temper.gateway.tables.counted import Counted
from temper.store.ledger.journal import Journal
from temper.store.ledger.record import COUNTS, Counts

EVERY = 60.0
_COUNTED = ("requests_total", "probes_total")


@dataclass(slots=True, kw_only=True, eq=False)
class Minutes:
    """Puts down what came since the last record, once a minute and at the end; a minute without requests has none.

    Requests wait for none of it. What the ledger does not take is counted again; what a killed process had not put
    down, a minute at most, is lost.
    """

    counted: Counted
    journal: Journal
    clock: Callable[[], float] = time.monotonic
    _written: Counter[str] = field(default_factory=Counter, init=False, repr=False)
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
        statuses: Counter[str] = Counter()
        for (name, labels), many in self.counted.cells.items():
            if name in _COUNTED:
                statuses[dict(labels)["status"]] += many
        if new := statuses - self._written:
            with suppress(StoreError):  # a ledger that fails is told by itself
                self.journal.put(COUNTS, Counts(statuses=dict(new)))
                self._written = statuses
