"""Alerts, and what of them is on its way to whom: at least once, in order, and known again by its id.

What a look found and what is to be sent of it are written in one transaction. A sender takes a delivery for a minute;
when it is killed before it says that it was sent, the delivery is taken again, with the same text. What a receiver does
not take is tried again and again, ever more rarely, and never given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from temper.core.alert import Alert, Receiver, Silence
from temper.core.errors import TemperError
from temper.core.incident import Severity
from temper.store.codec import from_json, to_json, unwrap, wrap
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction

FORMAT = "temper.alert"
LEASE = 60.0
"""Seconds in which a sender says whether a delivery was taken."""
FIRST, LONGEST = 30.0, 3_600.0
"""Seconds until a delivery is tried again: the first time, and at most; each time twice as long."""
LABELS = ("key", "feed", "rule", "column")
_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_QUEUE = (
    "INSERT INTO delivery (alert, receiver, state, document, due) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (alert, receiver, state) DO NOTHING"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look at a feed found: its alerts in order of time, which of them are silenced, whom to tell, the end of
    the latest window that was looked at, and after how many seconds one that nobody took becomes worse (0: never).
    """

    feed: str
    alerts: Sequence[Alert]
    silenced: frozenset[str]
    receivers: Sequence[Receiver]
    until: float
    escalate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An alert on its way to a receiver; `attempts` were made, this one included."""

    seq: int
    alert: Alert
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What one receiver has not taken yet: how many, when the first is tried again, and why it was not taken."""

    receiver: str
    many: int
    due: float
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An alert as it is now, who took it ("" nobody), and to how many receivers it was and is to be sent."""

    alert: Alert
    taker: str
    sent: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one receiver was or is to be told of an alert: taken at `sent`, else tried again when it is `due`, with the
    `fault` of the last try.
    """

    receiver: str
    state: str
    attempts: int
    due: float
    sent: float | None
    fault: str


class Alerts:
    """The alerts of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, feed: str, until: float) -> None:
        """From now on alerts of this feed are told; what was over by `until` is no news. Once begun it stays."""
        with self._database.write() as tx:
            tx.all("INSERT INTO alerted (feed, until) VALUES (?, ?) ON CONFLICT (feed) DO NOTHING", feed, until)

    def keep(self, found: Found, now: float) -> None:
        """Write what is new of these alerts, and what is to be sent of it. Twice is the same as once."""
        with self._database.write() as tx:
            row = tx.one("SELECT until FROM alerted WHERE feed = ?", found.feed)
            since = float(row["until"]) if row else 0.0
            kept = {_kept(tx, alert, found, since, now) for alert in found.alerts}
            for old in tx.all("SELECT * FROM alert WHERE feed = ? AND ends IS NULL", found.feed):
                if old["id"] not in kept:  # the rule, or the windows it was found in, are no more
                    _over(tx, old["id"], replace(_alert(old), ends=now), now)
            tx.all(
                "INSERT INTO alerted (feed, until) VALUES (?, ?) ON CONFLICT (feed) DO UPDATE "
                "SET until = excluded.until WHERE excluded.until > alerted.until",
                *(found.feed, found.until),
            )

    def claim(self, receiver: str, now: float) -> Delivery | None:
        """What is to be sent to this receiver next, for a minute; of one alert one after the other."""
        sql = (
            "SELECT * FROM delivery d WHERE receiver = ? AND sent IS NULL AND due <= ? AND NOT EXISTS "
            "(SELECT 1 FROM delivery e WHERE e.receiver = d.receiver AND e.alert = d.alert AND e.sent IS NULL "
            "AND e.seq < d.seq) ORDER BY seq LIMIT 1"
        )
        with self._database.write() as tx:
            row = tx.one(sql, receiver, now)
            if row is None:
                return None
            attempts = int(row["attempts"]) + 1
            tx.all("UPDATE delivery SET attempts = ?, due = ? WHERE seq = ?", attempts, now + LEASE, row["seq"])
        return Delivery(seq=row["seq"], alert=_alert(row), attempts=attempts)

    def sent(self, delivery: Delivery, now: float) -> None:
        """The receiver took it."""
        with self._database.write() as tx:
            tx.all("UPDATE delivery SET sent = ?, fault = '' WHERE seq = ? AND sent IS NULL", now, delivery.seq)

    def failed(self, delivery: Delivery, fault: str, now: float) -> None:
        """The receiver did not take it; it is tried again, later each time."""
        due = now + min(LONGEST, FIRST * 2.0 ** min(delivery.attempts - 1, 20))
        with self._database.write() as tx:
            tx.all("UPDATE delivery SET due = ?, fault = ? WHERE seq = ? AND sent IS NULL", due, fault, delivery.seq)

    def waiting(self) -> list[Waiting]:
        """What was not taken yet, by receiver."""
        sql = (
            "SELECT receiver, COUNT(*) AS many, MIN(due) AS due, MAX(fault) AS fault FROM delivery "
            "WHERE sent IS NULL GROUP BY receiver ORDER BY receiver"
        )
        with self._database.read() as tx:
            return [Waiting(**{**row, "due": float(row["due"])}) for row in tx.all(sql)]

    def page(self, open_only: bool = False, limit: int = 50) -> list[Known]:
        """The latest alerts: those that last first, then the newest."""
        return self._known("a.ends IS NULL" if open_only else "1 = 1", limit)

    def one(self, id: str) -> Known | None:
        """This alert; None where there is none."""
        return next(iter(self._known("a.id = ?", 1, id)), None)

    def during(self, since: float, until: float, limit: int = 20) -> list[Known]:
        """Alerts that lasted at any time between these."""
        return self._known("a.starts <= ? AND (a.ends IS NULL OR a.ends >= ?)", limit, until, since)

    def messages(self, id: str) -> list[Message]:
        """What was and is to be sent of this alert, in order."""
        sql = "SELECT receiver, state, attempts, due, sent, fault FROM delivery WHERE alert = ? ORDER BY seq"
        with self._database.read() as tx:
            return [Message(**row) for row in tx.all(sql, id)]

    def _known(self, where: str, limit: int, *values: object) -> list[Known]:
        sql = (
            "SELECT a.*, (SELECT COUNT(*) FROM delivery d WHERE d.alert = a.id AND d.sent IS NOT NULL) AS told, "
            "(SELECT COUNT(*) FROM delivery d WHERE d.alert = a.id AND d.sent IS NULL) AS left_over "
            f"FROM alert a WHERE {where} ORDER BY (a.ends IS NULL) DESC, a.starts DESC, a.id LIMIT ?"
        )
        with self._database.read() as tx:
            rows = tx.all(sql, *values, limit)
        return [
            Known(alert=_alert(row), taker=row["taker"] or "", sent=row["told"], waiting=row["left_over"])
            for row in rows
        ]

    def take(self, key: str, by: str, now: float) -> None:
        """Somebody looks after it, so it does not become worse by itself."""
        wording.name(by)
        with self._database.write() as tx:
            sql = "UPDATE alert SET taken = ?, taker = ? WHERE key = ? AND ends IS NULL RETURNING id"
            row = tx.one(sql, now, by, key)
            if row is None:
                raise TemperError(f"no alert with the key {key!r} lasts", fix="`temper monitor alerts` lists them")
            audit.write(tx, now, by, "alert.take", row["id"])

    def silence(self, one: Silence) -> None:
        """Nothing is sent of alerts with this label and value until then."""
        wording.name(one.by)
        if one.label not in LABELS:
            raise TemperError(f"alerts have no label {one.label!r}", fix=f"use one of {', '.join(LABELS)}")
        if one.until <= one.at:
            raise TemperError("a silence must last", fix="write --for 2h")
        given = replace(one, value=wording.identifier(one.value, "what is silenced"), why=wording.reason(one.why))
        with self._database.write() as tx:
            tx.all(
                "INSERT INTO silence (label, value, until, who, why, at) VALUES (?, ?, ?, ?, ?, ?)",
                *(given.label, given.value, given.until, given.by, given.why, given.at),
            )
            audit.write(
                tx, one.at, one.by, "alert.silence", given.value, label=one.label, until=one.until, why=given.why
            )

    def silences(self, now: float) -> list[Silence]:
        """Those that last."""
        with self._database.read() as tx:
            rows = tx.all("SELECT * FROM silence WHERE until > ? ORDER BY seq", now)
        return [
            Silence(
                label=row["label"],
                value=row["value"],
                until=float(row["until"]),
                by=row["who"],
                why=row["why"],
                at=float(row["at"]),
            )
            for row in rows
        ]


def _kept(tx: Transaction, alert: Alert, found: Found, since: float, now: float) -> str:
    """Write this alert and queue what is to be sent of it; the id under which it is known."""
    row = tx.one(
        "SELECT * FROM alert WHERE key = ? AND (starts = ? OR (ends IS NULL AND starts < ?)) "
        "ORDER BY starts DESC LIMIT 1",
        *(alert.key, alert.starts, alert.starts),
    )
    if row is None:
        if alert.ends is not None and alert.ends <= since:
            return alert.id  # over before anybody asked for alerts
        row = _new(tx, alert, found.feed, now)
    elif row["ends"] is not None:
        return str(row["id"])
    silent = alert.id in found.silenced
    alert = replace(alert, starts=float(row["starts"]))
    alert = alert.escalated if row["escalated"] is not None else alert
    if not silent:
        _queue(tx, replace(alert, ends=None), _whom(alert, found.receivers), now)
        if alert.ends is None and _late(row, found.escalate, now):
            alert = alert.escalated
            tx.all("UPDATE alert SET escalated = ? WHERE id = ?", now, row["id"])
            _queue(tx, alert, _whom(alert, found.receivers), now)
    if alert.ends is not None:
        _over(tx, row["id"], alert, now)
    else:
        tx.all("UPDATE alert SET document = ? WHERE id = ?", _document(alert), row["id"])
    return str(row["id"])


def _new(tx: Transaction, alert: Alert, feed: str, now: float) -> Row:
    values = (alert.id, feed, alert.key, alert.starts, _document(replace(alert, ends=None)), now)
    tx.all("INSERT INTO alert (id, feed, key, starts, document, known) VALUES (?, ?, ?, ?, ?, ?)", *values)
    return {"id": alert.id, "starts": alert.starts, "ends": None, "known": now, "taken": None, "escalated": None}


def _late(row: Row, escalate: float, now: float) -> bool:
    return bool(escalate and row["taken"] is None and row["escalated"] is None and now - row["known"] >= escalate)


def _whom(alert: Alert, receivers: Sequence[Receiver]) -> list[str]:
    return [one.name for one in receivers if _RANK[alert.severity] >= _RANK[one.least]]


def _queue(tx: Transaction, alert: Alert, receivers: Iterable[str], now: float) -> None:
    for receiver in receivers:
        tx.all(_QUEUE, alert.id, receiver, alert.state, _document(alert), now)


def _over(tx: Transaction, known: str, alert: Alert, now: float) -> None:
    """It ends; whoever was told that it began is told so."""
    tx.all("UPDATE alert SET ends = ?, document = ? WHERE id = ?", alert.ends, _document(alert), known)
    told = tx.all("SELECT DISTINCT receiver FROM delivery WHERE alert = ? ORDER BY receiver", known)
    _queue(tx, alert, [row["receiver"] for row in told], now)


def _document(alert: Alert) -> str:
    return to_json(wrap(FORMAT, alert))


def _alert(row: Row) -> Alert:
    return unwrap(FORMAT, Alert, from_json(row["document"]))
