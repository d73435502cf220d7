"""What was said of windows of predictions: once, and then never changed. Beside it, for pages: how columns lay in those
that alarmed, and what is known by now of what became of predictions, which changes as labels come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from temper.core.errors import StoreError
from temper.core.watch import Alarm, Kind, Seen, Shape, Shifted, Version, Watched, Watching
from temper.store.codec import dump, from_json, load, to_json, unwrap, wrap
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.outcomes import Outcomes, Wanted
from temper.store.control.served import Served

_KEEP = (
    "INSERT INTO watched (feed, reference, start, ends, seen, document, judged) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (feed, reference, start, ends) DO NOTHING RETURNING start"
)
_DRAW = "INSERT INTO shape (feed, reference, start, ends, document) VALUES (?, ?, ?, ?, ?)"
_WATCHING = (
    "SELECT w.feed, w.reference, w.ends - w.start AS width, w.judged FROM watched w JOIN "
    "(SELECT feed, MAX(judged) AS judged FROM watched GROUP BY feed) n "
    "ON n.feed = w.feed AND n.judged = w.judged ORDER BY w.feed, w.start DESC"
)
SHAPE = "temper.shapes"
_SINCE = (
    "WITH wanted (at, feed, reference, width, after) AS (VALUES {}) SELECT wanted.at, w.* FROM wanted JOIN watched w "
    "ON w.feed = wanted.feed AND w.reference = wanted.reference AND w.ends - w.start = wanted.width "
    "WHERE w.judged > wanted.after OR w.start = (SELECT n.start FROM watched n WHERE n.feed = wanted.feed "
    "AND n.reference = wanted.reference AND n.ends - n.start = wanted.width ORDER BY n.start DESC LIMIT 1) "
    "ORDER BY w.start"
)
_GO_ON = (
    "INSERT INTO stream (feed, reference, width, options, upto, state) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (feed, reference, width, options) DO UPDATE SET upto = excluded.upto, state = excluded.state "
    "WHERE stream.upto = ? RETURNING upto"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The stream of a feed between two looks: the `options` it is watched with, the end of the last window that went
    into it, and its state.
    """

    options: str
    upto: float
    state: bytes


class Overtaken(StoreError):
    """Another look went on with the same stream meanwhile; nothing of this one was kept."""


class Windows:
    """The windows of a control store, by their feed and the reference they were compared with; `outcomes` are what
    labels say of them, `served` what gateways answered from minute to minute.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outcomes = Outcomes(database)
        self.served = Served(database)

    def keep(
        self,
        feed: str,
        reference: str,
        found: Sequence[Watched],
        now: float,
        stream: Stream | None = None,
        before: Stream | None = None,
        shapes: Mapping[float, Sequence[Shape]] | None = None,
    ) -> int:
        """Keep what was found, all or nothing; of a window that is known the first word stays. How many were new.

        With them `stream` is kept, which these windows made of the one `before`; `Overtaken` where that is not the
        newest any more. `shapes` are drawn of windows by their start.
        """
        new = 0
        with self._database.write() as tx:
            if stream is not None:
                _go_on(tx, (feed, reference, found[0].ends - found[0].start), stream, before)
            for one in found:
                values = (feed, reference, one.start, one.ends, one.seen.value, _document(one), now)
                fresh = tx.one(_KEEP, *values) is not None
                new += fresh
                if fresh and shapes and (drawn := shapes.get(one.start)):
                    tx.all(_DRAW, feed, reference, one.start, one.ends, to_json(wrap(SHAPE, {"shapes": drawn})))
        return new

    def known(self, feed: str, reference: str, width: float) -> dict[float, int]:
        """The start of every window of this width that something was said of, and how many rows it had."""
        sql = "SELECT start, document FROM watched WHERE feed = ? AND reference = ? AND ends - start = ?"
        with self._database.read() as tx:
            rows = tx.all(sql, feed, reference, width)
        return {float(row["start"]): int(from_json(row["document"])["rows"]) for row in rows}

    def stream(self, feed: str, reference: str, width: float, options: str) -> Stream | None:
        """The stream that is made of windows of this width, as it stands."""
        sql = "SELECT upto, state FROM stream WHERE feed = ? AND reference = ? AND width = ? AND options = ?"
        with self._database.read() as tx:
            row = tx.one(sql, feed, reference, width, options)
        return Stream(options=options, upto=float(row["upto"]), state=bytes(row["state"])) if row else None

    def one(self, feed: str, reference: str, start: float, width: float) -> Watched | None:
        """What was said of this window."""
        sql = "SELECT * FROM watched WHERE feed = ? AND reference = ? AND start = ? AND ends = ?"
        with self._database.read() as tx:
            row = tx.one(sql, feed, reference, start, start + width)
        return _watched(row) if row else None

    def judged(self, feed: str, reference: str, width: float, after: float) -> list[tuple[float, Watched]]:
        """Windows of this width that were compared with this reference after this time, each with when it was, the
        oldest first.
        """
        sql = (
            "SELECT * FROM watched WHERE feed = ? AND reference = ? AND ends - start = ? AND judged > ? ORDER BY start"
        )
        with self._database.read() as tx:
            return [(float(row["judged"]), _watched(row)) for row in tx.all(sql, feed, reference, width, after)]

    def since(self, wanted: Sequence[Wanted]) -> list[list[tuple[float, Watched]]]:
        """For each of these by one query what `judged` gives, and the latest window in any case."""
        values = [value for at, one in enumerate(wanted) for value in (at, *one[:4])]
        found: list[list[tuple[float, Watched]]] = [[] for _ in wanted]
        with self._database.read() as tx:
            rows = tx.all(_SINCE.format(", ".join(["(?, ?, ?, ?, ?)"] * len(wanted))), *values) if wanted else []
        for row in rows:
            found[row["at"]].append((float(row["judged"]), _watched(row)))
        return found

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

    def watching(self) -> list[Watching]:
        """Every feed that was ever watched, with what it was compared with at the latest look."""
        with self._database.read() as tx:
            rows = tx.all(_WATCHING)
        found: dict[str, Watching] = {}
        for row in rows:  # of windows of one look the latest comes first
            one = Watching(
                feed=row["feed"],
                reference=row["reference"],
                width=float(row["width"]),
                judged=float(row["judged"]),
            )
            found.setdefault(one.feed, one)
        return list(found.values())

    def shapes(self, watching: Watching, start: float) -> tuple[Shape, ...]:
        """How columns lay in this window; nothing where it did not alarm."""
        sql = "SELECT document FROM shape WHERE feed = ? AND reference = ? AND start = ? AND ends = ?"
        with self._database.read() as tx:
            row = tx.one(sql, watching.feed, watching.reference, start, start + watching.width)
        return unwrap(SHAPE, _Drawn, from_json(row["document"])).shapes if row else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What a row of shapes holds."""

    shapes: tuple[Shape, ...]


def _go_on(tx: Transaction, of: tuple[str, str, float], stream: Stream, before: Stream | None) -> None:
    upto = -math.inf if before is None else before.upto
    if tx.one(_GO_ON, *of, stream.options, stream.upto, stream.state, upto) is None:
        raise Overtaken("another `temper monitor` went on with this stream meanwhile", fix="look again")


def _document(one: Watched) -> str:
    return to_json(
        {
            "rows": one.rows,
            "tests": one.tests,
            "needed": one.needed,
            "alarms": _told(one.alarms),
            "troubles": list(one.troubles),
            "notes": list(one.notes),
            "kind": one.kind.value if one.kind else "",
            "why": list(one.why),
            "since": one.since,
            "moved": [list(moved) for moved in one.moved],
            "gathered": list(one.gathered),
            "shifts": dump(one.shifts),
            "streamed": one.streamed,
            "versions": dump(one.versions),
            "instead": one.instead,
            "signs": _told(one.signs),
            "events": [list(event) for event in one.events],
        }
    )


def _told(alarms: Sequence[Alarm]) -> list[list[object]]:
    return [[a.comparison, a.column, a.value, a.p] for a in alarms]


def _alarms(told: Sequence[Sequence[Any]]) -> tuple[Alarm, ...]:
    return tuple(Alarm(comparison=c, column=n, value=float(v), p=float(p)) for c, n, v, p in told)


def _watched(row: Row) -> Watched:
    found = from_json(row["document"])
    return Watched(
        start=float(row["start"]),
        ends=float(row["ends"]),
        rows=found["rows"],
        seen=Seen(row["seen"]),
        tests=found["tests"],
        needed=found["needed"],
        alarms=_alarms(found["alarms"]),
        troubles=tuple(found["troubles"]),
        notes=tuple(found["notes"]),
        kind=Kind(found["kind"]) if found.get("kind") else None,
        why=tuple(found.get("why", ())),
        since=found.get("since"),
        moved=tuple((name, float(value)) for name, value in found.get("moved", ())),
        gathered=tuple(map(float, found.get("gathered", ()))),
        shifts=tuple(load(Shifted, one) for one in found.get("shifts", ())),
        streamed=found.get("streamed"),
        versions=tuple(load(Version, one) for one in found.get("versions", ())),
        instead=found.get("instead", 0),
        signs=_alarms(found.get("signs", ())),
        events=tuple((name, int(many)) for name, many in found.get("events", ())),
    )
