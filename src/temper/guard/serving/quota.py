"""How much a client may ask, by the second and by the day, on one node and on several."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from temper.core.errors import ConfigError, StoreError

_DAY = 86_400.0
_REMEMBERED = 60.0  # seconds for which a node remembers that it was alone
_EARLY = 0.01  # of an interval: what adding many intervals to a large clock may lose to rounding


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


@dataclass(frozen=True, slots=True)
class Grant:
    """What came of asking for a lease: how many queries, and how long not to ask again."""

    queries: int
    wait: float = 0.0


class Allowance(Protocol):
    """Where several nodes get their shares of one limit: a Quota in memory, or the control store, which raises
    `StoreError` where it cannot be asked.
    """

    def lease(self, key: str, want: int, now: float) -> Grant:
        """Take up to `want` queries off the limit; they are gone for the others, spent or not."""

    def give_back(self, key: str, queries: int, now: float) -> None:
        """Return what was leased and not spent."""


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

    config: QuotaConfig = QuotaConfig()
    _interval: float = field(default=0.0, init=False, repr=False)
    _span: float = field(default=0.0, init=False, repr=False)
    _due: dict[str, float] = field(default_factory=dict, init=False, repr=False)  # when a key will have no debt
    _today: float = field(default=-math.inf, init=False, repr=False)
    _spent: dict[str, int] = field(default_factory=dict, init=False, repr=False)  # today
    _most: int = field(default=1_024, init=False, repr=False)
    _swept: float = field(default=-math.inf, init=False, repr=False)

    def __post_init__(self) -> None:
        self._interval = 1 / self.config.per_second if self.config.per_second else 0.0
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

    def lease(self, key: str, want: int, now: float) -> Grant:
        """Half of what is left at most, so that no node takes all; see `Allowance`."""
        many = min(want, max(1, self._left(key, now) // 2))
        wait = self.take(key, now, many) if many > 0 else 0.0
        return Grant(0, wait) if wait else Grant(many)

    def give_back(self, key: str, queries: int, now: float) -> None:
        """Take back what was counted and not used."""
        if key in self._due:
            self._due[key] -= queries * self._interval
        if now - self._today < _DAY and key in self._spent:
            self._spent[key] = max(0, self._spent[key] - queries)

    def _left(self, key: str, now: float) -> int:
        debt = max(0.0, self._due.get(key, now) - now)
        left = int((self._span - debt) / self._interval + _EARLY) if self._interval else self.config.clients
        if self.config.per_day:
            spent = self._spent.get(key, 0) if now - self._today < _DAY else 0
            left = min(left, self.config.per_day - spent)
        return left

    def _spend(self, key: str, now: float, cost: int) -> float:
        """Count it for today; seconds until tomorrow where that is too much."""
        if now - self._today >= _DAY:
            self._today = now // _DAY * _DAY
            self._spent = {}
        spent = self._spent.get(key, 0) + cost
        if spent > self.config.per_day:
            return self._today + _DAY - now if cost <= self.config.per_day else math.inf
        if key not in self._spent and len(self._spent) >= self.config.clients:
            return self._today + _DAY - now
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


@dataclass(slots=True)
class _Share:
    """What a node holds of one key's limit: a lease that is being spent, and the one that comes after it."""

    left: int = 0
    until: float = -math.inf
    after: int = 0
    after_until: float = -math.inf
    again: float = -math.inf  # no lease is asked for before
    asked: bool = False
    alone: bool = False  # the allowance could not be asked


@dataclass(slots=True, kw_only=True, eq=False)
class Shares:
    """One node's part of limits that nodes share: it leases `lease` queries of a key at a time and spends them without
    asking anybody. `take` looks only at what is held. Whoever drives it asks the Allowance for what is `wanted`, tells
    it by `put`, and gives back what is `unspent`: what is left of a lease after `seconds`.

    What a node holds is off the limit already, so a node that dies with it costs its share of the limit and never more
    than the limit is spent: per day exactly, and over any W seconds burst + per_second * (W + 2 * seconds). While the
    allowance cannot be asked, `alone` says what this node allows by itself (the limit divided by the number of nodes:
    together they then spend the limit once more at most); without it clients wait.

    >>> shares, quota = Shares(lease=2), Quota(config=QuotaConfig(per_day=3))
    >>> shares.take("shop", 0.0) > 0
    True
    >>> for key, want in shares.wanted():
    ...     shares.put(key, quota.lease(key, want, 0.0), 0.0)
    >>> shares.take("shop", 0.0)
    0.0
    """

    lease: int = 100
    seconds: float = 5.0
    patience: float = 0.1
    """What a client is told to wait while a lease is on its way."""
    clients: int = 50_000
    alone: Quota | None = None
    _held: dict[str, _Share] = field(default_factory=dict, init=False, repr=False)
    _wanted: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _back: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def take(self, key: str, now: float, cost: int = 1) -> float:
        """Seconds to wait, 0 where it is allowed, which counts."""
        share = self._held.get(key)
        if share is None:
            if len(self._held) >= self.clients:
                return self.patience
            share = self._held[key] = _Share()
        if share.left < cost or now >= share.until:
            self._turn(key, share, now)
        allowed = share.left >= cost and now < share.until
        if allowed:
            share.left -= cost
        if not share.after and (share.left < self.lease // 2 or now > share.until - self.seconds / 2):
            self._want(key, share, now, cost)
        if allowed:
            return 0.0
        if share.alone and self.alone is not None:
            return self.alone.take(key, now, cost)
        return max(share.again - now, self.patience)

    def wanted(self) -> list[tuple[str, int]]:
        """The leases to ask for now: (key, queries); each is named once, until `put` says what came of it."""
        found, self._wanted = list(self._wanted.items()), {}
        return found

    def put(self, key: str, grant: Grant | None, now: float) -> None:
        """What the allowance gave; None where it could not be asked, which is tried again after a second."""
        share = self._held.setdefault(key, _Share())
        share.asked, share.alone = False, grant is None
        share.again = now + (1.0 if grant is None else grant.wait)
        if grant and grant.queries:
            self.keep(key, share.after)
            share.after, share.after_until = grant.queries, now + self.seconds

    def unspent(self, now: float, *, closing: bool = False) -> list[tuple[str, int]]:
        """(key, queries) that are no longer held and go back: of leases that ran out, or all where a node closes."""
        for key, share in list(self._held.items()):
            if closing:
                self.keep(key, share.left + share.after)
                share.left = share.after = 0
            elif now >= share.until:
                self._turn(key, share, now)
            idle = now >= share.again + (_REMEMBERED if share.alone else 0.0)
            if idle and not (share.left or share.after or share.asked):
                del self._held[key]
        found, self._back = list(self._back.items()), {}
        return found

    def _turn(self, key: str, share: _Share, now: float) -> None:
        """Go on with the next lease; what is left of the one before goes back."""
        if share.after or now >= share.until:
            self.keep(key, share.left)
            share.left, share.until = share.after, share.after_until
            share.after = 0

    def keep(self, key: str, queries: int) -> None:
        """So many are still to be given back."""
        if queries:
            self._back[key] = self._back.get(key, 0) + queries

    def _want(self, key: str, share: _Share, now: float, cost: int) -> None:
        if not share.asked and now >= share.again:
            share.asked = True
            self._wanted[key] = max(self.lease, cost)


async def renew(shares: Shares, allowance: Allowance, clock: Callable[[], float]) -> None:
    """One round between a node and the allowance, which is asked on a thread. Rounds must not overlap. A client's first
    lease is worth waiting for: one round, then `take` again.
    """
    for key, queries in shares.unspent(clock()):
        try:
            await asyncio.to_thread(allowance.give_back, key, queries, clock())
        except StoreError:
            shares.keep(key, queries)
    for key, want in shares.wanted():
        try:
            grant = await asyncio.to_thread(allowance.lease, key, want, clock())
        except StoreError:
            shares.put(key, None, clock())
        else:
            shares.put(key, grant, clock())
