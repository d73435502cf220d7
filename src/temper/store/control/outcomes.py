"""What labels say of windows of predictions: the latest word of each, and once it is decided no other."""

from __future__ import annotations

from collections.abc import Sequence

from temper.core.outcome import Outcome
from temper.store.codec import from_json, to_json, unwrap, wrap
from temper.store.control.database import Database, Row

FORMAT = "temper.outcome"
_KEEP = (
    "INSERT INTO outcome (feed, reference, start, ends, seen, document, looked) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (feed, reference, start, ends) DO UPDATE SET seen = excluded.seen, document = excluded.document, "
    "looked = excluded.looked WHERE outcome.seen = 'inconclusive'"
)


class Outcomes:
    """The outcomes of a control store, by the name of their labels and the reference of their windows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, feed: str, reference: str, found: Sequence[Outcome], now: float) -> None:
        """Keep what was found, all or nothing; what is decided stays as it is."""
        with self._database.write() as tx:
            for one in found:
                document = to_json(wrap(FORMAT, one))
                tx.all(_KEEP, feed, reference, one.start, one.ends, one.seen.value, document, now)

    def decided(self, feed: str, reference: str, width: float) -> frozenset[float]:
        """The start of every window of this width of which more labels would change nothing."""
        sql = (
            "SELECT start FROM outcome WHERE feed = ? AND reference = ? AND ends - start = ? "
            "AND seen IN ('pass', 'fail')"
        )
        with self._database.read() as tx:
            return frozenset(float(row["start"]) for row in tx.all(sql, feed, reference, width))

    def page(self, feed: str, limit: int = 50) -> list[Outcome]:
        """The latest ones, the newest first."""
        sql = "SELECT * FROM outcome WHERE feed = ? ORDER BY start DESC, looked DESC LIMIT ?"
        with self._database.read() as tx:
            return [_outcome(row) for row in tx.all(sql, feed, limit)]

    def latest(self, feed: str, reference: str, width: float, limit: int) -> list[Outcome]:
        """The latest ones of windows of this width, the oldest first."""
        sql = "SELECT * FROM outcome WHERE feed = ? AND reference = ? AND ends - start = ? ORDER BY start DESC LIMIT ?"
        with self._database.read() as tx:
            return [_outcome(row) for row in reversed(tx.all(sql, feed, reference, width, limit))]


def _outcome(row: Row) -> Outcome:
    return unwrap(FORMAT, Outcome, from_json(row["document"]))
