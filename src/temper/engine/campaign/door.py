"""Where an attacker asks: one row, one account, one answer; and the clock by which that happens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from temper.core.errors import RunStopped
from temper.store.journal import Frames

Array = np.ndarray[Any, Any]


class Ended(RunStopped):
    """The rules, the target or the clock end the campaign; what was done is kept. With a `fix` it may go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one request was told: the seconds since the campaign began, the status, the score where one was told, the
    level, whether the row is `flagged`, who answered, and what of the guard objected, where that can be seen.
    """

    at: float
    status: int = 200
    score: float | None = None
    level: int = 0
    flagged: bool = True
    source: str = "primary"
    after: float = 0.0
    why: tuple[str, ...] = ()


class Door(Protocol):
    """A system as it can be reached. `simulated` says that its clock is: nothing sleeps."""

    simulated: bool

    @property
    def asked(self) -> int:
        """Rows that the system answered."""

    @property
    def reused(self) -> int:
        """Rows that the journal answered."""

    @property
    def now(self) -> float:
        """Seconds since the campaign began, by the last answer and what was waited for since."""

    @property
    def day(self) -> float:
        """Seconds since 1970 (UTC) by which the rules' hours go."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def expect(self, rows: Array) -> None:
        """These rows are about to be asked, as far as rules and time allow."""

    def ask(self, row: Array, account: str, pace: float) -> Told:
        """The answer to one row, `pace` seconds after the last one at the earliest."""

    def teach(self, x: Array, y: Array) -> int:
        """How many of these labels will be trained on."""

    def close(self) -> None:
        """Let everything go."""


@dataclass(slots=True, kw_only=True, eq=False)
class Once:
    """Answers by the content of their question: each is asked once, whatever becomes of the process in between. The
    same question asked again is another one: `key` counts.
    """

    journal: Frames[Told]
    scope: str
    _seen: dict[bytes, int] = field(default_factory=dict, repr=False)

    def key(self, *parts: bytes, repeats: bool = True) -> bytes:
        """16 bytes that stand for the question, all that its answer depends on, and how often it came before."""
        found = hashlib.blake2b(self.scope.encode(), digest_size=16)
        for part in parts:
            found.update(len(part).to_bytes(4, "little") + part)
        once = found.digest()
        if not repeats:
            return once
        self._seen[once] = self._seen.get(once, 0) + 1
        found.update(self._seen[once].to_bytes(8, "little"))
        return found.digest()
