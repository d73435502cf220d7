"""What gateways of a feed answered, minute by minute, and what is promised of it: what pages and alerts read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from temper.core.served import Minute, Objective
from temper.store.codec import from_json, to_json, unwrap, wrap
from temper.store.control.database import Database

FORMAT = "temper.objectives"
_KEEP = (
    "INSERT INTO served (feed, start, document) VALUES (?, ?, ?) "
    "ON CONFLICT (feed, start) DO UPDATE SET document = excluded.document"
)
_PROMISE = (
    "INSERT INTO promised (feed, document) VALUES (?, ?) ON CONFLICT (feed) DO UPDATE SET document = excluded.document"
)


class Served:
    """The minutes of a control store, by feed. A minute that is kept again is replaced: whoever keeps it has read all
    that the feed says of it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, feed: str, objectives: Sequence[Objective], minutes: Iterable[Minute], since: float) -> None:
        """Keep these minutes, and let go of those before `since`."""
        promised = to_json(wrap(FORMAT, _Promised(objectives=tuple(objectives))))
        with self._database.write() as tx:
            tx.all(_PROMISE, feed, promised)
            for one in minutes:
                tx.all(_KEEP, feed, one.start, to_json(dict(one.counts)))
            tx.all("DELETE FROM served WHERE feed = ? AND start < ?", feed, since)

    def minutes(self, feed: str, since: float = 0.0) -> list[Minute]:
        """The minutes from this time on, the oldest first."""
        sql = "SELECT start, document FROM served WHERE feed = ? AND start >= ? ORDER BY start"
        with self._database.read() as tx:
            rows = tx.all(sql, feed, since)
        return [Minute(start=float(row["start"]), counts=from_json(row["document"])) for row in rows]

    def objectives(self, feed: str) -> tuple[Objective, ...]:
        """What was promised of this feed at the latest look."""
        with self._database.read() as tx:
            row = tx.one("SELECT document FROM promised WHERE feed = ?", feed)
        return unwrap(FORMAT, _Promised, from_json(row["document"])).objectives if row else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Promised:
    """What a row of promises holds."""

    objectives: tuple[Objective, ...]
