"""How much a client may ask, by the second and by the day, counted by one process."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from temper.core.quota import DAY, QuotaConfig

_EARLY = 0.01  # of an interval: what adding many intervals to a large clock may lose to rounding


@dataclass(slots=True, kw_only=True, eq=False)
class Quota:
    """Limits for every key (a client, a model) by itself. Nothing is counted that is not allowed.

    `now` are seconds since 1970 of a clock that never steps: the wall clock at the start plus what the monotonic one
    has run since; where there is no limit by the day any clock will do. Misleads where one person has many keys.
    Source: the generic cell rate algorithm, ITU-T I.371, virtual scheduling form.

    >>> quota = Quota(config=QuotaConfig(per_second=0.1, burst=2))
    >>> [quota.take("shop", now) for now in (0.0, 0.0, 0.0, 10.0)]
    [0.0, 0.0, 10.0, 0.0]
    """

    config: QuotaConfig = field(default_factory=QuotaConfig)
    _interval: float = field(default=0.0, init=False, repr=False)
    _span: float = field(default=0.0, init=False, repr=False)
    _due: dict[str, float] = field(default_factory=dict, init=False, repr=False)  # when a key will have no debt
    _today: float = field(default=-math.inf, init=False, repr=False)
    _spent: dict[str, int] = field(default_factory=dict, init=False, repr=False)  # today
    _most: int = field(default=1_024, init=False, repr=False)
    _swept: float = field(default=-math.inf, init=False, repr=False)

    def __post_init__(self) -> None:
        self._interval = self.config.interval
        self._span = self.config.burst * self._interval
        self._most = min(self._most, self.config.clients)

    def take(self, key: str, now: float, cost: int = 1) -> float:
        """Seconds to wait, 0 where it is allowed, which counts; infinite where `cost` is more than can ever be had."""
        due = self._due.get(key)
        if due is None:
            if len(self._due) >= self._most and not self._sweep(now):
                return 1.0
            due = now
        elif due < now:
            due = now
        due += cost * self._interval
        if (wait := due - now - self._span) > _EARLY * self._interval:
            return wait if cost <= self.config.burst else math.inf
        if self.config.per_day and (wait := self._spend(key, now, cost)):
            return wait
        self._due[key] = due
        return 0.0

    def _spend(self, key: str, now: float, cost: int) -> float:
        """Count it for today; seconds until tomorrow where that is too much."""
        if now - self._today >= DAY:
            self._today = now // DAY * DAY
            self._spent = {}
        spent = self._spent.get(key, 0) + cost
        if spent > self.config.per_day:
            return self._today + DAY - now if cost <= self.config.per_day else math.inf
        if key not in self._spent and len(self._spent) >= self.config.clients:
            return self._today + DAY - now
        self._spent[key] = spent
        return 0.0

    def _sweep(self, now: float) -> bool:
        """Forget who owes nothing; whether there is room for one more. Once a second at most where all are busy."""
        if self._most == self.config.clients and now - self._swept < 1.0:
            return False
        self._due = {key: due for key, due in self._due.items() if due > now}
        self._most = min(self.config.clients, max(1_024, 2 * len(self._due)))
        self._swept = now
        return len(self._due) < self.config.clients
