"""Which workers of gateways there are. Each holds a lease on its name, so that two never go by one unnoticed."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.errors import StoreError
from temper.store.control.database import Database, Transaction

SECONDS = 10.0
"""How long a worker that says nothing keeps its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker: its name, the installation it is one of (the folder with its ledger), and this very process."""

    name: str
    installation: str
    token: str


class Roster:
    """The leases on names. Clocks of machines may differ by a few seconds and no more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, worker: Worker, now: float) -> None:
        """Take its name. A process of the same installation takes over at once: whoever had its ledger is gone. Raises
        `StoreError` while another installation holds the name.
        """
        with self._database.write() as tx:
            row = tx.one("SELECT installation, until FROM worker WHERE name = ?", worker.name)
            if row and row["until"] > now and row["installation"] != worker.installation:
                raise StoreError(
                    f"another gateway of this control store is called {worker.name}",
                    fix=f"give this one a name with --node, or wait {row['until'] - now:.0f} s if the other is gone",
                )
            _hold(tx, worker, now)

    def renew(self, worker: Worker, now: float) -> bool:
        """Hold the name for longer, and take it back where nobody holds it; False while somebody else does."""
        with self._database.write() as tx:
            row = tx.one("SELECT token, until FROM worker WHERE name = ?", worker.name)
            if row and row["until"] > now and row["token"] != worker.token:
                return False
            _hold(tx, worker, now)
        return True

    def leave(self, worker: Worker) -> None:
        """Let the name go, if it is held."""
        with self._database.write() as tx:
            tx.all("UPDATE worker SET until = 0 WHERE name = ? AND token = ?", worker.name, worker.token)

    def clear(self) -> None:
        """Let every name go: nobody who was there at a backup is there where it was restored."""
        with self._database.write() as tx:
            tx.all("UPDATE worker SET until = 0")

    def live(self, now: float) -> int:
        """How many there are."""
        with self._database.read() as tx:
            row = tx.one("SELECT count(*) AS n FROM worker WHERE until > ?", now)
        return int(row["n"]) if row else 0


def _hold(tx: Transaction, worker: Worker, now: float) -> None:
    tx.all(
        "INSERT INTO worker (name, installation, token, until) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET installation = excluded.installation, token = excluded.token, until = excluded.until",
        *(worker.name, worker.installation, worker.token, now + SECONDS),
    )
