"""What labels say of windows of predictions: the latest word of each, and once it is decided no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from temper.core.outcome import Outcome
from temper.store.codec import from_json, to_json, unwrap, wrap
from temper.store.control.database import Database, Row

FORMAT = "temper.outcome"
_KEEP = (
    "INSERT INTO outcome (feed, labels, reference, start, ends, seen, document, looked) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (feed, labels, reference, start, ends) DO UPDATE SET "
    "seen = excluded.seen, document = excluded.document, looked = excluded.looked "
    "WHERE outcome.seen = 'inconclusive'"
)
_DECIDED = "feed = ? AND labels = ? AND reference = ? AND ends - start = ? AND seen IN ('pass', 'fail')"


_SINCE = (
    "WITH wanted (at, feed, reference, width, after, labels) AS (VALUES {}) SELECT wanted.at, o.* FROM wanted "
    "JOIN outcome o ON o.feed = wanted.feed AND o.labels = wanted.labels AND o.reference = wanted.reference "
    "AND o.ends - o.start = wanted.width WHERE o.seen IN ('pass', 'fail') AND o.looked > wanted.after ORDER BY o.start"
)


class Wanted(NamedTuple):
    """Windows of this width of a feed, which were judged by this reference after this time, and of which labels."""

    feed: str
    reference: str
    width: float
    after: float
    labels: str = ""


class Outcomes:
    """The outcomes of a control store: of which feed and which labels, and by which reference its windows are known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, feed: str, labels: str, reference: str, found: Sequence[Outcome], now: float) -> None:
        """Keep what was found, all or nothing; what is decided stays as it is."""
        with self._database.write() as tx:
            for one in found:
                document = to_json(wrap(FORMAT, one))
                tx.all(_KEEP, feed, labels, reference, one.start, one.ends, one.seen.value, document, now)

    def decided(self, feed: str, labels: str, reference: str, width: float) -> frozenset[float]:
        """The start of every window of this width of which more labels would change nothing."""
        with self._database.read() as tx:
            rows = tx.all(f"SELECT start FROM outcome WHERE {_DECIDED}", feed, labels, reference, width)
        return frozenset(float(row["start"]) for row in rows)

    def judged(self, feed: str, labels: str, reference: str, width: float, after: float) -> list[tuple[float, Outcome]]:
        """Windows of this width that were decided after this time, each with when it was, the oldest first."""
        sql = f"SELECT * FROM outcome WHERE {_DECIDED} AND looked > ? ORDER BY start"
        with self._database.read() as tx:
            rows = tx.all(sql, feed, labels, reference, width, after)
        return [(float(row["looked"]), _outcome(row)) for row in rows]

    def since(self, wanted: Sequence[Wanted]) -> list[list[tuple[float, Outcome]]]:
        """For each of these by one query what `judged` gives."""
        values = [value for at, one in enumerate(wanted) for value in (at, *one)]
        found: list[list[tuple[float, Outcome]]] = [[] for _ in wanted]
        with self._database.read() as tx:
            rows = tx.all(_SINCE.format(", ".join(["(?, ?, ?, ?, ?, ?)"] * len(wanted))), *values) if wanted else []
        for row in rows:
            found[row["at"]].append((float(row["looked"]), _outcome(row)))
        return found

    def page(self, feed: str, limit: int = 50) -> list[Outcome]:
        """What is known of the latest windows of a feed, the oldest first; of several looks at one the latest."""
        sql = "SELECT * FROM outcome WHERE feed = ? ORDER BY start DESC, looked DESC LIMIT ?"
        with self._database.read() as tx:
            rows = tx.all(sql, feed, limit)
        newest = {row["start"]: row for row in reversed(rows)}
        return [_outcome(row) for row in newest.values()]

    def latest(self, feed: str, labels: str, reference: str, width: float, limit: int) -> list[Outcome]:
        """The latest ones of windows of this width, the oldest first."""
        sql = (
            "SELECT * FROM outcome WHERE feed = ? AND labels = ? AND reference = ? AND ends - start = ? "
            "ORDER BY start DESC LIMIT ?"
        )
        with self._database.read() as tx:
            return [_outcome(row) for row in reversed(tx.all(sql, feed, labels, reference, width, limit))]


def _outcome(row: Row) -> Outcome:
    return unwrap(FORMAT, Outcome, from_json(row["document"]))
