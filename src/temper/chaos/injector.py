"""One fault at a time, for a time, for those it is meant for; before and after, nothing is touched."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.chaos.effect import NOTHING, Effect
from temper.core.data import Array
from temper.core.errors import ConfigError
from temper.core.room import Room
from temper.core.seed import Draws

FAULTS = Room("temper.chaos.faults")
LONGEST = 3_600.0
"""Seconds after which every fault is over, whatever was asked for."""
_KEPT = 10_000
"""True scores that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whom a fault meets: the share `share` of the exchanges, those of `client` only unless that is empty, between
    `start` and `end` seconds after it was set.
    """

    share: float = 1.0
    client: str = ""
    start: float = 0.0
    end: float = math.inf

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ConfigError(f"the share of a fault is {self.share!r}", fix="0 to 1")
        if not 0 <= self.start <= self.end:
            raise ConfigError(f"a fault from {self.start!r} to {self.end!r} s never is", fix="0 <= start <= end")


@dataclass(slots=True, kw_only=True, eq=False)
class Injector:
    """What a fault does to each exchange, drawn from `seed`; the same exchanges meet the same whatever their times.

    It is over `seconds` after `set`, by the clock and without anybody's doing: who set it may be gone by then.

    >>> from temper.chaos.faults.wire.hang import Hang
    >>> injector = Injector(clock=iter([0.0, 1.0, 2.5]).__next__)
    >>> injector.set(Hang(), seconds=2.0)
    >>> injector.meet().hang, injector.meet().hang
    (True, False)
    """

    seed: int = 0
    clock: Callable[[], float] = time.monotonic
    met: int = field(default=0, init=False)
    """Exchanges that it did something to."""
    _fault: Any = field(default=None, init=False)
    _scope: Scope = field(default_factory=Scope, init=False)
    _since: float = field(default=0.0, init=False)
    _until: float = field(default=0.0, init=False)
    _at: int = field(default=0, init=False)
    _earlier: Array = field(default_factory=lambda: np.empty(0), init=False)

    def set(self, fault: Any, *, seconds: float, scope: Scope | None = None) -> None:
        """From now on, for so many seconds; in place of the one before."""
        if not 0 < seconds <= LONGEST:
            raise ConfigError(f"a fault of {seconds!r} s is none", fix=f"above 0, at most {LONGEST:g} s")
        self._fault, self._scope = fault, scope or Scope()
        self._since = self.clock()
        self._until = self._since + seconds
        self._at, self.met, self._earlier = 0, 0, np.empty(0)

    def clear(self) -> None:
        """It is over now."""
        self._fault = None

    @property
    def fault(self) -> Any:
        """The one that is set and not over, else None."""
        return self._fault if self._fault is not None and self.clock() < self._until else None

    @property
    def left(self) -> float:
        """Seconds until it is over."""
        return max(0.0, self._until - self.clock()) if self._fault is not None else 0.0

    def meet(self, client: str = "") -> Effect:
        """What is done to the next exchange on the wire."""
        age = self._age(client)
        if age is None or not hasattr(self._fault, "meet"):
            return NOTHING
        at = self._next()
        if at < 0:
            return NOTHING
        self.met += 1
        found: Effect = self._fault.meet(at, age, self._draws("meet"))
        return found

    def answer(self, scores: Array, client: str = "") -> Array:
        """What is answered in place of these scores (n, ...)."""
        if self._age(client) is None or not hasattr(self._fault, "answer"):
            return scores
        at, earlier = self._next(), self._earlier
        self._earlier = np.concatenate([earlier.reshape((-1, *scores.shape[1:])), scores])[-_KEPT:]
        if at < 0:
            return scores
        self.met += 1
        told: Array = self._fault.answer(scores, earlier, self._draws(f"answer/{at}"))
        return told

    def rescores(self) -> bool:
        """Whether answers must be read for the fault that is set now."""
        return hasattr(self.fault, "answer")

    def _age(self, client: str) -> float | None:
        """Seconds since it began, None where it does not hold."""
        if self._fault is None:
            return None
        now = self.clock()
        age, scope = now - self._since, self._scope
        if now >= self._until or not scope.start <= age < scope.end or scope.client not in ("", client):
            return None
        return age - scope.start

    def _next(self) -> int:
        """The number of this exchange, -1 where the draw leaves it alone."""
        at, self._at = self._at, self._at + 1
        spared = self._scope.share < 1 and float(self._draws("share").uniform([at], 0)[0]) >= self._scope.share
        return -1 if spared else at

    def _draws(self, name: str) -> Draws:
        return Draws(self.seed, f"chaos/{name}")


def built(name: str, options: Mapping[str, Any] | None = None) -> Any:
    """A fault by its name, as "wire.latency", with these options; a mistake is answered with what there is."""
    return FAULTS.build(name, dict(options or {}))
