"""Limits that workers share: each leases queries, spends them by itself, and tells what became of them.

A worker that dies keeps what it held until the lease ends; then all of it can be had again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from temper.core.quota import DAY, Debt, Grant, QuotaConfig, Trade
from temper.store.control.database import Database, Row, Transaction

SECONDS = 10.0
"""How long a lease is held for a worker that says nothing: twice as long as workers use it, for clocks that differ."""
_AGAIN, _KEPT = 1.0, 7 * DAY


class Quotas:
    """The limits of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pool(self, holder: str, prefix: str = "") -> Pool:
        """What this holder leases from. A client of one `prefix` has one limit, whoever asks for it."""
        return Pool(self._database, holder, prefix)

    def prune(self, now: float) -> None:
        """Forget clients and holders that have not been heard of for a week."""
        with self._database.write() as tx:
            tx.all("DELETE FROM quota WHERE due < ? AND day < ?", now - _KEPT, now - _KEPT)
            tx.all("DELETE FROM trade WHERE at < ?", now - _KEPT)


@dataclass(frozen=True, slots=True)
class Pool:
    """The limits as one holder sees them: an Allowance."""

    _database: Database
    holder: str
    prefix: str

    def wanted(self) -> list[str]:
        """Clients of which others were refused since this holder told last, and might have had what it holds."""
        with self._database.read() as tx:
            rows = tx.all("SELECT client FROM share WHERE holder = ? AND wanted = 1", self.holder)
        return [row["client"].removeprefix(self.prefix) for row in rows if row["client"].startswith(self.prefix)]

    def exchange(
        self, config: QuotaConfig, number: int, trades: Mapping[str, Trade], now: float
    ) -> Mapping[str, Grant]:
        """What each client is granted. What was spent counts once under a `number`, however often that comes."""
        clients = {f"{self.prefix}{key}": key for key in trades}
        with self._database.write() as tx:
            turn = _Turn(tx, self.holder, config, _first(tx, self.holder, number, now), now)
            debts, leases = _found(tx, "quota", clients), _found(tx, "share", clients)
            return {key: turn.settled(one, trades[key], debts[one], leases[one]) for one, key in clients.items()}


@dataclass(frozen=True, slots=True)
class _Turn:
    """One exchange of one holder; `new` where it was not told before."""

    tx: Transaction
    holder: str
    config: QuotaConfig
    new: bool
    now: float

    def settled(self, client: str, trade: Trade, debts: list[Row], leases: list[Row]) -> Grant:
        """One client: leases that have ended come back, what was told is counted, and what can be granted is leased."""
        now, config = self.now, self.config
        debt = Debt(debts[0]["due"], debts[0]["day"], debts[0]["spent"]) if debts else Debt()
        live = [row for row in leases if row["until"] > now]
        for row in leases:
            if row["until"] <= now:
                debt = _back(config, debt, -row["queries"], row["day"], now)
        own = next((row for row in live if row["holder"] == self.holder), None)
        held, day = (own["queries"], own["day"]) if own else (0, now // DAY * DAY)
        debt = _back(config, debt, (trade.spent if self.new else 0) + trade.left - held, day, now)
        grant = config.granted(debt, trade.want, trade.need, now)
        _keep(self.tx, client, config.counted(debt, grant.queries, now))
        if len(live) < len(leases):
            self.tx.all("DELETE FROM share WHERE client = ? AND until <= ?", client, now)
        _lease(self.tx, client, self.holder, trade.left + grant.queries, now)
        if grant.queries or not any(row is not own for row in live):
            return grant
        if trade.need:
            self.tx.all("UPDATE share SET wanted = 1 WHERE client = ? AND holder <> ?", client, self.holder)
        return Grant(0, min(grant.wait, _AGAIN))  # others have some, and are asked for it


def _back(config: QuotaConfig, debt: Debt, queries: int, day: float, now: float) -> Debt:
    """What was leased on another day is no credit for this one."""
    return config.counted(debt, queries, now, today=queries >= 0 or day == now // DAY * DAY)


def _first(tx: Transaction, holder: str, number: int, now: float) -> bool:
    """Whether what comes under this number was not told before."""
    row = tx.one("SELECT number FROM trade WHERE holder = ?", holder)
    if row and row["number"] >= number:
        return False
    tx.all(
        "INSERT INTO trade (holder, number, at) VALUES (?, ?, ?) ON CONFLICT (holder) DO UPDATE "
        "SET number = excluded.number, at = excluded.at",
        *(holder, number, now),
    )
    return True


def _found(tx: Transaction, table: str, clients: Mapping[str, str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {client: [] for client in clients}
    if clients:
        marks = ", ".join("?" * len(clients))
        for row in tx.all(f"SELECT * FROM {table} WHERE client IN ({marks})", *clients):
            found[row["client"]].append(row)
    return found


def _keep(tx: Transaction, client: str, debt: Debt) -> None:
    tx.all(
        "INSERT INTO quota (client, due, day, spent) VALUES (?, ?, ?, ?) ON CONFLICT (client) DO UPDATE "
        "SET due = excluded.due, day = excluded.day, spent = excluded.spent",
        *(client, debt.due, debt.day, debt.spent),
    )


def _lease(tx: Transaction, client: str, holder: str, queries: int, now: float) -> None:
    """What the holder has from now on."""
    if not queries:
        tx.all("DELETE FROM share WHERE client = ? AND holder = ?", client, holder)
        return
    tx.all(
        "INSERT INTO share (client, holder, queries, day, until) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (client, holder) DO UPDATE "
        "SET queries = excluded.queries, day = excluded.day, until = excluded.until, wanted = 0",
        *(client, holder, queries, now // DAY * DAY, now + SECONDS),
    )
