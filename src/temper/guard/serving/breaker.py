"""A circuit breaker: a model that fails or dawdles is left alone for a while, then tried with a few calls."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from temper.core.errors import ConfigError


class State(StrEnum):
    """What a breaker does with calls; the forced states are an operator's and last until `automatic`."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"


class Outcome(IntEnum):
    """How a call ended. IGNORED says nothing about the model: cancelled, or the caller's own mistake."""

    SUCCESS = 0
    FAILURE = 1
    IGNORED = 2


FORCED = {"open": "force_open", "closed": "force_closed", "automatic": "automatic"}
"""What follows an operator's word in the control store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerConfig:
    """When a breaker opens and how it closes again.

    Of the last `window` calls, once there are `least`, a share of `failure_rate` failures or `slow_rate` calls that
    took `slow_seconds` opens it. After `open_seconds` it lets `probes` calls through, no more, whose results are judged
    by the same shares; one that has not answered after `probe_seconds` counts as failed.
    """

    window: int = 50
    least: int = 20
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    slow_seconds: float = math.inf
    open_seconds: float = 0.5
    probes: int = 3
    probe_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.window or self.probes < 1:
            raise ConfigError(
                f"a breaker judges {self.least} of {self.window} calls and {self.probes} probes",
                fix="least between 1 and window, probes at least 1",
            )
        if not (0 < self.failure_rate <= 1 and 0 < self.slow_rate <= 1):
            raise ConfigError("failure_rate and slow_rate are shares of calls", fix="above 0, at most 1")
        if not (self.slow_seconds > 0 and self.open_seconds > 0 and self.probe_seconds > 0):
            raise ConfigError("a breaker was given no time to wait", fix="seconds above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerView:
    """A breaker as a dashboard shows it. `calls`, `failed`, `slow` are of the window, or of the probes when half open;
    `rejected` counts all calls it ever turned away; `wait` is seconds until it may let one through.
    """

    state: State
    reason: str
    since: float
    wait: float
    calls: int
    failed: int
    slow: int
    probing: int
    rejected: int


@dataclass(slots=True, kw_only=True, eq=False)
class Breaker:
    """One upstream's breaker. `allow` gives a permit or None; whoever holds a permit hands it back to `record`, once,
    however the call ended, IGNORED where it was cancelled. For one event loop: nothing here waits or locks.

    A permit is a number of the state it was given in, so a result that comes late counts for nothing, and calls that
    were turned away are never held against the model. Misleads below `least` calls per outage: it cannot tell yet.
    Source: Nygard, Release It!, 2007; count window, slow calls and capped probes as in resilience4j.

    >>> breaker = Breaker(config=BreakerConfig(window=2, least=2, probes=1, open_seconds=1.0))
    >>> for _ in range(2):
    ...     breaker.record(breaker.allow(0.0), Outcome.FAILURE, 0.01, 0.0)
    >>> breaker.allow(0.5), breaker.state.value
    (None, 'open')
    >>> probe = breaker.allow(1.0)
    >>> breaker.allow(1.0), breaker.state.value
    (None, 'half_open')
    >>> breaker.record(probe, Outcome.SUCCESS, 0.01, 1.1)
    >>> breaker.state.value
    'closed'
    """

    config: BreakerConfig = BreakerConfig()
    state: State = field(default=State.CLOSED, init=False)
    reason: str = field(default="", init=False)
    history: deque[tuple[float, State, str]] = field(default_factory=lambda: deque(maxlen=64), init=False, repr=False)
    """When it changed, to what and why; the latest are kept."""
    rejected: int = field(default=0, init=False)
    _number: int = field(default=1, init=False, repr=False)
    _pass: int = field(default=1, init=False, repr=False)  # the permit of everybody while it is closed, else 0
    _probing: set[int] = field(default_factory=set, init=False, repr=False)
    _since: float = field(default=0.0, init=False, repr=False)
    _until: float = field(default=0.0, init=False, repr=False)
    _asked: float = field(default=0.0, init=False, repr=False)  # when the latest probe was let through
    _ring: bytearray = field(default_factory=bytearray, init=False, repr=False)
    _at: int = field(default=0, init=False, repr=False)
    _calls: int = field(default=0, init=False, repr=False)
    _failed: int = field(default=0, init=False, repr=False)
    _slow: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._ring = bytearray(self.config.window)

    def allow(self, now: float) -> int | None:
        """A permit to call the model, None where it is left alone."""
        return self._pass or self._probe(now)

    def record(self, permit: int | None, outcome: Outcome, seconds: float, now: float) -> None:
        """How the call of this permit ended and how long it took."""
        if permit == self._pass:
            if outcome != 2:
                self._count(outcome | (seconds >= self.config.slow_seconds) << 1, now)
        elif permit in self._probing:
            self._probing.discard(permit)
            if outcome != 2:
                self._calls += 1
                self._failed += outcome
                self._slow += seconds >= self.config.slow_seconds
                self._judge(now)

    def trip(self, now: float, reason: str, seconds: float | None = None) -> None:
        """Open for `seconds` (else as configured) because something outside knows that the model is wrong.

        An operator's word counts for more: a forced state stays.
        """
        if self.state not in (State.FORCED_OPEN, State.FORCED_CLOSED):
            self._open(now, reason, self.config.open_seconds if seconds is None else seconds)

    def force_open(self, now: float, reason: str = "by an operator") -> None:
        """Let nothing through until `automatic`."""
        self._to(State.FORCED_OPEN, now, reason, math.inf)

    def force_closed(self, now: float, reason: str = "by an operator") -> None:
        """Let everything through until `automatic`; results are still counted, for whoever watches."""
        self._to(State.FORCED_CLOSED, now, reason)

    def automatic(self, now: float) -> None:
        """End a forced state: from forced open the next calls are probes, from forced closed it starts afresh."""
        if self.state is State.FORCED_OPEN:
            self._to(State.HALF_OPEN, now, "automatic again")
        elif self.state is State.FORCED_CLOSED:
            self._to(State.CLOSED, now, "automatic again")

    def view(self, now: float) -> BreakerView:
        """How it stands."""
        return BreakerView(
            state=self.state,
            reason=self.reason,
            since=self._since,
            wait=max(0.0, self._until - now),
            calls=self._calls,
            failed=self._failed,
            slow=self._slow,
            probing=len(self._probing),
            rejected=self.rejected,
        )

    def _probe(self, now: float) -> int | None:
        if self.state is not State.HALF_OPEN and now >= self._until:
            self._to(State.HALF_OPEN, now, "time to try again")
        if self.state is State.HALF_OPEN:
            if len(self._probing) + self._calls < self.config.probes:
                self._number += 1
                self._probing.add(self._number)
                self._asked = now
                return self._number
            if now - self._asked >= self.config.probe_seconds:
                return self._give_up(now)
        self.rejected += 1
        return None

    def _give_up(self, now: float) -> int | None:
        """Probes that never answered have failed, and are judged so; the call that found out goes where that leads."""
        self._calls += len(self._probing)
        self._failed += len(self._probing)
        self._judge(now)
        return self.allow(now)

    def _count(self, code: int, now: float) -> None:
        """Put a result into the window of the last calls: bit 0 it failed, bit 1 it was slow."""
        at, ring = self._at, self._ring
        old, ring[at] = ring[at], code
        self._at = at + 1 if at + 1 < len(ring) else 0
        if self._calls < len(ring):
            self._calls += 1
        if old != code:
            self._failed += (code & 1) - (old & 1)
            self._slow += (code >> 1) - (old >> 1)
        if (self._failed or self._slow) and self._calls >= self.config.least:
            self._open_if_bad(now)

    def _open_if_bad(self, now: float) -> None:
        if (found := self._verdict(self._calls)) and self.state is State.CLOSED:
            self._open(now, found, self.config.open_seconds)

    def _judge(self, now: float) -> None:
        """Open again as soon as enough probes went wrong, close once all are back."""
        if found := self._verdict(self.config.probes):
            self._open(now, f"probes: {found}", self.config.open_seconds)
        elif self._calls >= self.config.probes:
            self._to(State.CLOSED, now, "the probes went well")

    def _verdict(self, calls: int) -> str:
        if self._failed >= self.config.failure_rate * calls:
            return f"{self._failed} of {calls} calls failed"
        if self._slow >= self.config.slow_rate * calls:
            return f"{self._slow} of {calls} calls took {self.config.slow_seconds:g} s or more"
        return ""

    def _open(self, now: float, reason: str, seconds: float) -> None:
        self._to(State.OPEN, now, reason, now + seconds)

    def _to(self, state: State, now: float, reason: str, until: float = 0.0) -> None:
        """Change, and forget everything of the state before: its permits no longer count."""
        self._number += 1
        self._pass = self._number if state in (State.CLOSED, State.FORCED_CLOSED) else 0
        self._probing.clear()
        self._ring = bytearray(self.config.window)
        self._at = self._calls = self._failed = self._slow = 0
        self.state, self.reason, self._since, self._until = state, reason, now, until
        self.history.append((now, state, reason))
