"""How many calls a model may have at once, found from how long they take."""

from __future__ import annotations

from dataclasses import dataclass, field

from temper.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterConfig:
    """Calls should take `target` seconds at most; `floor` and `cap` bound how many may run, `start` is the first guess.

    Where more than a share of `tolerance` of the answers is late or missing, the limit is multiplied by `backoff`.
    `floor` = `cap` is a plain bulkhead.
    """

    target: float = 0.05
    start: int = 16
    floor: int = 2
    cap: int = 256
    backoff: float = 0.8
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.floor <= self.cap:
            raise ConfigError(f"between {self.floor} and {self.cap} calls", fix="1 <= floor <= cap")
        if not (self.target > 0 and 0 < self.backoff < 1 and 0 <= self.tolerance < 1):
            raise ConfigError(
                "a limit of concurrency cannot adapt like this", fix="target above 0, backoff and tolerance shares"
            )


@dataclass(slots=True, kw_only=True, eq=False)
class Limiter:
    """The adaptive limit of one model, and so its bulkhead: a model that hangs fills its own places only.

    Whoever was admitted calls `leave` once, however the call ends. The limit goes up by one after as many answers as it
    is high, if it was reached meanwhile, so a quiet hour never raises it; and down at most once for calls that ran
    together, so one stall is one step. It has an absolute target where gradients compare a latency with its own past,
    which drifts up with the load. Misleads where latency does not depend on load: then it ends at floor or cap.
    Source: additive increase, multiplicative decrease, Chiu & Jain, 1989.

    >>> limiter = Limiter(config=LimiterConfig(start=2, floor=1, cap=4))
    >>> [limiter.admit() for _ in range(3)]
    [True, True, False]
    >>> limiter.leave(0.01, True)
    >>> limiter.admit()
    True
    """

    config: LimiterConfig = LimiterConfig()
    limit: float = field(default=0.0, init=False)
    running: int = field(default=0, init=False)
    shed: int = field(default=0, init=False)
    """How many were turned away since the start."""
    _seen: int = field(default=0, init=False, repr=False)
    _late: int = field(default=0, init=False, repr=False)
    _skip: int = field(default=0, init=False, repr=False)  # answers to calls that began before the latest step down
    _full: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self.limit = float(min(max(self.config.start, self.config.floor), self.config.cap))

    def admit(self) -> bool:
        """Whether one more call may run, which counts."""
        if self.running + 1 > self.limit:
            self._full = True
            self.shed += 1
            return False
        self.running += 1
        return True

    def full(self, more: int) -> bool:
        """Whether a call would not be admitted after so many more; being asked in vain counts as having been full."""
        if self.running + more + 1 > self.limit:
            self._full = True
            return True
        return False

    def leave(self, seconds: float, ok: bool | None) -> None:
        """A call is over: it took `seconds`; `ok` is False where no answer came, None where it says nothing (cancelled
        by the client, refused for the client's own mistake).
        """
        if not self.running:
            raise RuntimeError("a call left that was never admitted")
        self.running -= 1
        if ok is None:
            return
        if self._skip:
            self._skip -= 1
            return
        self._seen += 1
        if not ok or seconds > self.config.target:
            self._late += 1
        if self._seen >= self.limit and self._seen >= 10:
            self._adapt()

    def _adapt(self) -> None:
        if self._late > self.config.tolerance * self._seen:
            self.limit = max(float(self.config.floor), self.limit * self.config.backoff)
            self._skip = self.running
        elif self._full:
            self.limit = min(float(self.config.cap), self.limit + 1)
        self._seen = self._late = 0
        self._full = False
