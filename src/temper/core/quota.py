"""How much a client may ask, and how several nodes share that: limits, what was counted, and what they tell of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from temper.core.errors import ConfigError

DAY = 86_400.0
_EARLY = 0.01  # of an interval: what adding many intervals to a large clock may lose to rounding


@dataclass(frozen=True, slots=True)
class Debt:
    """What a client has used of its limit: when that of the seconds will be made up for, and how many it `spent` on the
    `day` that began then (seconds since 1970, UTC).
    """

    due: float = 0.0
    day: float = 0.0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """What came of asking for a lease: how many queries, and how long not to ask again."""

    queries: int
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """What a node tells of one client, and what it asks for: what it has `spent` since it told last, and what it has
    `left` of its lease. It would like `want` more, and can do nothing with less than `need`.
    """

    spent: int = 0
    left: int = 0
    want: int = 0
    need: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaConfig:
    """`per_second` questions on average and `burst` at once, `per_day` in one day (of UTC); 0 is no limit.

    `clients` are the most that are remembered: idle ones are forgotten, and with that many busy ones a new one waits.
    """

    per_second: float = 0.0
    burst: int = 1
    per_day: int = 0
    clients: int = 50_000

    def __post_init__(self) -> None:
        if not (0 <= self.per_second < math.inf) or self.burst < 1 or self.per_day < 0 or self.clients < 1:
            raise ConfigError(
                f"a quota of {self.per_second:g} per second, {self.burst} at once, {self.per_day} per day",
                fix="per_second and per_day at least 0, burst and clients at least 1",
            )

    @classmethod
    def per_minute(cls, many: float) -> QuotaConfig:
        """As many as this in a minute, also all at once."""
        return cls(per_second=many / 60, burst=max(1, int(many)))

    @property
    def interval(self) -> float:
        """Seconds that a query takes to be made up for; 0 where there is no limit by the second."""
        return 1 / self.per_second if self.per_second else 0.0

    @property
    def most(self) -> float:
        """The most that can ever be had at once."""
        limits = [self.burst] if self.per_second else []
        return min([*limits, *([self.per_day] if self.per_day else [])], default=math.inf)

    @property
    def lease(self) -> int:
        """How many queries to lease at once: those of a second, or a twentieth of a day's."""
        often = math.ceil(self.per_second) if self.per_second else math.ceil(self.per_day / 20)
        return max(1, min(often, 1_000, self.burst if self.per_second else often))

    def part(self, of: int) -> QuotaConfig:
        """What one of so many may give out by itself."""
        return QuotaConfig(
            per_second=self.per_second / of,
            burst=max(1, self.burst // of),
            per_day=math.ceil(self.per_day / of),
            clients=self.clients,
        )

    def counted(self, debt: Debt, queries: int, now: float, *, today: bool = True) -> Debt:
        """The debt after so many more queries, or fewer; `today` is False where those of the day are another day's."""
        day = now // DAY * DAY
        spent = debt.spent if debt.day == day else 0
        return Debt(max(debt.due, now) + queries * self.interval, day, max(0, spent + queries) if today else spent)

    def left(self, debt: Debt, now: float) -> int:
        """How many queries this debt leaves at this time."""
        found = 10**9
        if self.interval:
            found = int(self.burst - max(0.0, debt.due - now) / self.interval + _EARLY)
        if self.per_day:
            found = min(found, self.per_day - (debt.spent if debt.day == now // DAY * DAY else 0))
        return max(found, 0)

    def granted(self, debt: Debt, want: int, need: int, now: float) -> Grant:
        """As many as are wanted, and half of what is left at most, so that no node takes all; but `need` where there
        are so many.

        >>> QuotaConfig(per_day=100).granted(Debt(), 80, 1, 0.0), QuotaConfig(per_day=100).granted(Debt(), 80, 60, 0.0)
        (Grant(queries=50, wait=0.0), Grant(queries=60, wait=0.0))
        """
        left = self.left(debt, now)
        if left >= need:
            return Grant(max(need, min(want, left // 2)))
        return Grant(0, self._wait(debt, need, now))

    def _wait(self, debt: Debt, need: int, now: float) -> float:
        """Until there are so many; infinite where there never will be."""
        if need > self.most:
            return math.inf
        wait = max(0.0, debt.due - now + (need - self.burst - _EARLY) * self.interval)
        if self.per_day and debt.day == now // DAY * DAY and debt.spent + need > self.per_day:
            return max(wait, debt.day + DAY - now)
        return wait


class Allowance(Protocol):
    """Where several nodes get their shares of limits. Raises `StoreError` where it cannot be asked."""

    def exchange(
        self, config: QuotaConfig, number: int, trades: Mapping[str, Trade], now: float
    ) -> Mapping[str, Grant]:
        """What each client is granted. What was spent counts once under a `number`, however often that comes; numbers
        grow.
        """

    def wanted(self) -> Collection[str]:
        """Clients that this node holds queries of and another one was refused, for want of what is held here."""
