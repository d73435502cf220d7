"""One node's part of limits that several share: spent without asking anybody, leased beside that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from temper.core.quota import DAY, Grant, QuotaConfig, Trade
from temper.guard.serving.quota import Quota

_REMEMBERED = 60.0  # seconds after which a client that does not come again is forgotten


@dataclass(slots=True)
class _Share:
    """What is held of one client's limit, and what was not told yet."""

    left: int = 0
    until: float = -math.inf
    again: float = -math.inf  # no lease of `refused` or more is asked for before
    refused: int = 0
    used: float = -math.inf
    spent: int = 0
    need: int = 0  # a lease is wanted, or on its way, that has to have so many
    size: int = 0  # of the lease it likes to hold


@dataclass(slots=True, kw_only=True, eq=False)
class Shares:
    """What a node may let through of every client's limit. `take` looks only at what is held; whoever drives it asks
    the Allowance for `trades`, and tells what came of it by `put`. A lease is spent within `seconds` of its last
    exchange, and never after midnight (UTC) where there is a limit by the day; what is left goes back.

    What is held is off the limit already. So nodes together never spend more than the limit, but for what a node had
    spent and not told when it died: its lease comes back whole. While the allowance cannot be asked (`lost`) a node
    first spends what it holds, and then gives out one part in `nodes` of every limit by itself: together they spend the
    limit once more at most, which is told, and counts, once the allowance is back.

    >>> shares = Shares(config=QuotaConfig(per_day=300))
    >>> shares.take("shop", 0.0) > 0, shares.trades(0.0)
    (True, {'shop': Trade(spent=0, left=0, want=15, need=1)})
    >>> shares.put({"shop": Grant(15)}, 0.0)
    >>> shares.take("shop", 0.0)
    0.0
    """

    config: QuotaConfig
    seconds: float = 5.0
    nodes: int = 1
    patience: float = 0.1
    """What a client is told to wait while a lease is on its way."""
    lost: bool = False
    asking: bool = False
    """Whether somebody waits for a lease, or soon will."""
    _held: dict[str, _Share] = field(default_factory=dict, init=False, repr=False)
    _stirred: set[str] = field(default_factory=set, init=False, repr=False)  # who has something to tell, or to ask
    _alone: Quota | None = field(default=None, init=False, repr=False)
    _divided: int = field(default=0, init=False, repr=False)

    def take(self, key: str, now: float, cost: int = 1, *, alone: bool = False) -> float:
        """Seconds to wait, 0 where it is allowed, which counts; infinite where `cost` is more than can ever be had.
        With `alone` a lease that is on its way is not waited for any more.
        """
        share = self._held.get(key)
        if share is None:
            if len(self._held) >= self.config.clients:
                return self.patience
            share = self._held[key] = _Share()
        share.used = now
        if now >= share.until:
            self._close(key, share)
        if share.left >= cost:
            share.left -= cost
            share.spent += cost
            self._stirred.add(key)
            if 2 * share.left < share.size or now > share.until - self.seconds / 2:
                self._want(key, share, 1)
            return 0.0
        if cost > self.config.most:
            return math.inf
        if now < share.again and cost >= share.refused:
            return share.again - now
        self._want(key, share, cost)
        return self._by_itself(key, share, now, cost) if self.lost or alone else self.patience

    def coming(self, key: str) -> bool:
        """Whether a lease is on its way that may be waited for."""
        share = self._held.get(key)
        return share is not None and share.need > 0 and not self.lost

    @property
    def leased(self) -> int:
        """How many queries are held."""
        return sum(share.left for share in self._held.values())

    @property
    def stirred(self) -> int:
        """How many clients there is something to tell of, or to ask for."""
        return len(self._stirred)

    def trades(self, now: float, most: int = 256) -> dict[str, Trade]:
        """What to tell and to ask now, of so many clients; it counts as told once this returns."""
        found: dict[str, Trade] = {}
        while self._stirred and len(found) < most:
            key = self._stirred.pop()
            share = self._held[key]
            if now >= share.until:
                share.left = 0
            need = max(0, share.need - share.left)
            share.size = self._size(share.spent)
            want = max(need, share.size - share.left) if share.need else 0
            found[key] = Trade(spent=share.spent, left=share.left, want=want, need=need)
            share.spent = 0
        self.asking = self.asking and bool(self._stirred)
        return found

    def _size(self, spent: int) -> int:
        """A lease that lasts twice as long as it took to ask for this one, within half of what can be had at once."""
        return max(self.config.lease, int(min(2 * spent, self.config.most / 2)))

    def put(self, grants: Mapping[str, Grant], now: float) -> None:
        """What was granted by the exchange that was begun at `now`."""
        for key, grant in grants.items():
            share = self._held.setdefault(key, _Share(used=now))
            share.refused, share.need = share.need, 0
            share.again = now + grant.wait
            share.left += grant.queries
            if share.left:
                midnight = (now // DAY + 1) * DAY if self.config.per_day else math.inf
                share.until = min(now + self.seconds, midnight)
        self.asking = any(self._held[key].need for key in self._stirred)

    def give_back(self, keys: Iterable[str]) -> None:
        """Let go of what is held of these clients, whether or not it could still be spent: others were refused."""
        for key in keys:
            if share := self._held.get(key):
                self._close(key, share)

    def sweep(self, now: float, *, closing: bool = False) -> None:
        """Let go of what ran out, or of everything, and forget who does not come any more."""
        for key, share in list(self._held.items()):
            if closing:
                share.need = 0
            if closing or now >= share.until:
                self._close(key, share)
            told = not (share.left or share.need) and key not in self._stirred
            if told and now >= share.again and now - share.used > _REMEMBERED:
                del self._held[key]

    def _close(self, key: str, share: _Share) -> None:
        if share.left:
            share.left = 0
            self._stirred.add(key)

    def _want(self, key: str, share: _Share, cost: int) -> None:
        share.need = max(share.need, cost)
        self._stirred.add(key)
        self.asking = True

    def _by_itself(self, key: str, share: _Share, now: float, cost: int) -> float:
        """From this node's own part, while nobody can be asked."""
        if self._alone is None or self._divided != self.nodes:
            self._alone, self._divided = Quota(config=self.config.part(self.nodes)), self.nodes
        wait = self._alone.take(key, now, cost)
        if not wait:
            share.spent += cost
        return wait
