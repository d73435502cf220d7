"""What was said of windows of predictions: once, and then never changed."""

from __future__ import annotations

from collections.abc import Sequence

from temper.core.watch import Alarm, Kind, Seen, Watched
from temper.store.codec import from_json, to_json
from temper.store.control.database import Database, Row

_KEEP = (
    "INSERT INTO watched (feed, reference, start, ends, seen, document, judged) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (feed, reference, start, ends) DO NOTHING RETURNING start"
)


class Windows:
    """The windows of a control store, by their feed and the reference they were compared with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, feed: str, reference: str, found: Sequence[Watched], now: float) -> int:
        """Keep what was found, all or nothing; of a window that is known the first word stays. How many were new."""
        new = 0
        with self._database.write() as tx:
            for one in found:
                values = (feed, reference, one.start, one.ends, one.seen.value, _document(one), now)
                new += tx.one(_KEEP, *values) is not None
        return new

    def known(self, feed: str, reference: str, width: float) -> dict[float, int]:
        """The start of every window of this width that something was said of, and how many rows it had."""
        sql = "SELECT start, document FROM watched WHERE feed = ? AND reference = ? AND ends - start = ?"
        with self._database.read() as tx:
            rows = tx.all(sql, feed, reference, width)
        return {float(row["start"]): int(from_json(row["document"])["rows"]) for row in rows}

    def one(self, feed: str, reference: str, start: float, width: float) -> Watched | None:
        """What was said of this window."""
        sql = "SELECT * FROM watched WHERE feed = ? AND reference = ? AND start = ? AND ends = ?"
        with self._database.read() as tx:
            row = tx.one(sql, feed, reference, start, start + width)
        return _watched(row) if row else None

    def page(self, feed: str, limit: int = 50) -> list[Watched]:
        """The latest windows of a feed, the newest first."""
        with self._database.read() as tx:
            rows = tx.all("SELECT * FROM watched WHERE feed = ? ORDER BY start DESC, judged DESC LIMIT ?", feed, limit)
        return [_watched(row) for row in rows]

    def latest(self, feed: str, reference: str, width: float, limit: int) -> list[Watched]:
        """The latest windows of this width that were compared with this reference, the oldest first."""
        sql = "SELECT * FROM watched WHERE feed = ? AND reference = ? AND ends - start = ? ORDER BY start DESC LIMIT ?"
        with self._database.read() as tx:
            return [_watched(row) for row in reversed(tx.all(sql, feed, reference, width, limit))]


def _document(one: Watched) -> str:
    alarms = [[a.comparison, a.column, a.value, a.p] for a in one.alarms]
    return to_json(
        {
            "rows": one.rows,
            "tests": one.tests,
            "needed": one.needed,
            "alarms": alarms,
            "troubles": list(one.troubles),
            "notes": list(one.notes),
            "kind": one.kind.value if one.kind else "",
            "why": list(one.why),
            "since": one.since,
            "moved": [list(moved) for moved in one.moved],
            "gathered": list(one.gathered),
        }
    )


def _watched(row: Row) -> Watched:
    found = from_json(row["document"])
    return Watched(
        start=float(row["start"]),
        ends=float(row["ends"]),
        rows=found["rows"],
        seen=Seen(row["seen"]),
        tests=found["tests"],
        needed=found["needed"],
        alarms=tuple(Alarm(comparison=c, column=n, value=float(v), p=float(p)) for c, n, v, p in found["alarms"]),
        troubles=tuple(found["troubles"]),
        notes=tuple(found["notes"]),
        kind=Kind(found["kind"]) if found.get("kind") else None,
        why=tuple(found.get("why", ())),
        since=found.get("since"),
        moved=tuple((name, float(value)) for name, value in found.get("moved", ())),
        gathered=tuple(map(float, found.get("gathered", ()))),
    )
