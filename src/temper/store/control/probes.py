"""What analysts tried by hand, how bad others find it, and the assumptions they challenge.

Whoever rates a probe has not seen its author or what others said: `Seen` leaves that out until they have. A probe, a
rating and a challenge stay as they were given; each is a row of the audit. A rating's row of the audit names its probe
and not the word, so that nobody reads there what is kept from them here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temper.core.errors import TemperError
from temper.core.probe import Assumption, Challenge, Draft, Probe, Rating, Severity, Standing
from temper.core.review import Conflict, Forbidden, Right
from temper.store.codec import from_json, to_json, unwrap, wrap
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.people import allowed

FORMAT = "temper.probe"
RIGHT = Right.ORDER
"""What saving, rating and challenging take."""
LARGEST = 200_000
"""Characters a probe may have as a document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A probe as one person sees it. While they may still rate it, it is `blind`: whose it is and what others said
    is left out.
    """

    probe: Probe
    ratings: tuple[Rating, ...]
    blind: bool


class Probes:
    """The probes of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, key: str, draft: Draft, by: str, now: float) -> Probe:
        """Keep a probe. The same key is kept once; raises `Conflict` where it is another's."""
        return self.save_all(key, [draft], by, now)[0]

    def save_all(self, key: str, drafts: Sequence[Draft], by: str, now: float) -> list[Probe]:
        """Keep several, all of them or none: the first under this key, each other one under the key with its number."""
        wording.identifier(key, "the key of a probe")
        with self._database.write() as tx:
            allowed(tx, by, RIGHT)
            return [_saved(tx, f"{key}:{at}" if at else key, draft, by, now) for at, draft in enumerate(drafts)]

    def seen(self, id: int, by: str) -> Seen:
        """A probe as this person may see it; raises `TemperError` where there is none."""
        with self._database.read() as tx:
            return _seen(tx, _row(tx, id), by)

    def page(self, system: str, by: str, limit: int = 50, offset: int = 0) -> list[Seen]:
        """The newest of a system, as this person may see them."""
        with self._database.read() as tx:
            sql = "SELECT * FROM probe WHERE system = ? ORDER BY id DESC LIMIT ? OFFSET ?"
            return [_seen(tx, row, by) for row in tx.all(sql, system, limit, offset)]

    def of(self, system: str) -> list[tuple[Probe, list[Rating]]]:
        """Every probe of a system with what was said of it, the oldest first: for a report, not for whoever rates."""
        with self._database.read() as tx:
            rows = tx.all("SELECT * FROM probe WHERE system = ? ORDER BY id", system)
            sql = "SELECT r.* FROM rating r JOIN probe p ON p.id = r.probe WHERE p.system = ? ORDER BY r.at, r.who"
            ratings = [_rating(row) for row in tx.all(sql, system)]
        return [(_probe(row), [one for one in ratings if one.probe == row["id"]]) for row in rows]

    def unrated(self, system: str, by: str) -> int:
        """How many probes of a system this person may still rate."""
        sql = (
            "SELECT count(*) AS n FROM probe WHERE system = ? AND author <> ? "
            "AND id NOT IN (SELECT probe FROM rating WHERE who = ?)"
        )
        with self._database.read() as tx:
            row = tx.one(sql, system, by, by) if _may(tx, by) else None
        return int(row["n"]) if row else 0

    def rate(self, id: int, severity: Severity, reason: str, by: str, now: float) -> None:
        """Say how bad somebody else's probe is, once and for all."""
        reason = wording.reason(reason)
        with self._database.write() as tx:
            allowed(tx, by, RIGHT)
            row = _row(tx, id)
            if row["author"] == by:
                raise Forbidden(f"probe {id} is {by}'s own", fix="somebody else has to rate it")
            if tx.one("SELECT who FROM rating WHERE probe = ? AND who = ?", id, by) is not None:
                raise Conflict(f"{by} has rated probe {id} already", fix="the first word stands")
            tx.all(
                "INSERT INTO rating (probe, who, severity, reason, at) VALUES (?, ?, ?, ?, ?)",
                id,
                by,
                severity.value,
                reason,
                now,
            )
            said = hashlib.sha256(to_json([severity.value, reason]).encode()).hexdigest()
            audit.write(tx, now, by, "probe.rate", str(id), digest=said)

    def assume(self, key: str, system: str, text: str, by: str, now: float) -> Assumption:
        """Write down what a system is believed to hold to. The same key is kept once."""
        wording.identifier(key, "the key of an assumption")
        text = wording.title(text)
        with self._database.write() as tx:
            allowed(tx, by, RIGHT)
            row = tx.one("SELECT * FROM assumption WHERE key = ?", key)
            if row is None:
                sql = "INSERT INTO assumption (key, system, text, author, made) VALUES (?, ?, ?, ?, ?) RETURNING *"
                row = tx.one(sql, key, system, text, by, now) or {}
                audit.write(tx, now, by, "assumption.write", str(row["id"]), system=system, text=text)
            elif (row["system"], row["text"], row["author"]) != (system, text, by):
                raise Conflict(f"another assumption has the key {key}", fix="write it under a key of its own")
        return _assumption(row, ())

    def challenge(self, id: int, standing: Standing, reason: str, probe: int, by: str, now: float) -> None:
        """Say that an assumption stood, or has fallen, and by which probe (0 for none)."""
        reason = wording.reason(reason)
        if standing is Standing.OPEN:
            raise TemperError("a challenge says whether the assumption stands", fix="say stands or fallen")
        with self._database.write() as tx:
            allowed(tx, by, RIGHT)
            row = tx.one("SELECT system FROM assumption WHERE id = ?", id)
            if row is None:
                raise TemperError(
                    f"there is no assumption {id}", fix="`temper probe assumptions` shows which there are"
                )
            if probe and _row(tx, probe)["system"] != row["system"]:
                raise TemperError(f"probe {probe} is of another system", fix="name one of this system")
            sql = "INSERT INTO challenge (assumption, who, standing, reason, probe, at) VALUES (?, ?, ?, ?, ?, ?)"
            tx.all(sql, id, by, standing.value, reason, probe or None, now)
            told = {"standing": standing.value, "reason": reason, "probe": probe}
            audit.write(tx, now, by, "assumption.challenge", str(id), **told)

    def assumptions(self, system: str) -> list[Assumption]:
        """What this system is believed to hold to, the oldest first, with every challenge."""
        with self._database.read() as tx:
            rows = tx.all("SELECT * FROM assumption WHERE system = ? ORDER BY id", system)
            sql = (
                "SELECT c.* FROM challenge c JOIN assumption a ON a.id = c.assumption WHERE a.system = ? ORDER BY c.seq"
            )
            said = [_challenge(row) for row in tx.all(sql, system)]
        return [_assumption(row, tuple(one for one in said if one.assumption == row["id"])) for row in rows]


def _saved(tx: Transaction, key: str, draft: Draft, by: str, now: float) -> Probe:
    wording.reason(draft.hypothesis)
    document = to_json(wrap(FORMAT, draft))
    if len(document) > LARGEST:
        raise TemperError(f"a probe has at most {LARGEST:,} characters", fix="shorten what is probed")
    if (same := tx.one("SELECT * FROM probe WHERE key = ?", key)) is not None:
        if same["author"] != by or same["document"] != document:
            raise Conflict(f"another probe has the key {key}", fix="save it under a key of its own")
        return _probe(same)
    for number in draft.assumptions:
        _assumed(tx, number, draft.system)
    names = "key, system, technique, document, author, made"
    sql = f"INSERT INTO probe ({names}) VALUES (?, ?, ?, ?, ?, ?) RETURNING *"
    found = _probe(tx.one(sql, key, draft.system, draft.technique, document, by, now) or {})
    digest = hashlib.sha256(document.encode()).hexdigest()
    audit.write(tx, now, by, "probe.save", str(found.id), system=draft.system, digest=digest)
    return found


def _seen(tx: Transaction, row: Row, by: str) -> Seen:
    ratings = tuple(_rating(one) for one in tx.all("SELECT * FROM rating WHERE probe = ? ORDER BY at, who", row["id"]))
    blind = row["author"] != by and by not in {one.by for one in ratings} and _may(tx, by)
    found = _probe(row if not blind else row | {"author": ""})
    return Seen(probe=found, ratings=() if blind else ratings, blind=blind)


def _may(tx: Transaction, by: str) -> bool:
    try:
        allowed(tx, by, RIGHT)
    except Forbidden:
        return False
    return True


def _assumed(tx: Transaction, number: int, system: str) -> None:
    if tx.one("SELECT id FROM assumption WHERE id = ? AND system = ?", number, system) is None:
        raise TemperError(f"there is no assumption {number} of {system}", fix="write it down first")


def _row(tx: Transaction, id: int) -> Row:
    row = tx.one("SELECT * FROM probe WHERE id = ?", id)
    if row is None:
        raise TemperError(f"there is no probe {id}", fix="`temper probe list` shows which there are")
    return row


def _probe(row: Row) -> Probe:
    draft = unwrap(FORMAT, Draft, from_json(row["document"]))
    return Probe(id=int(row["id"]), key=row["key"], author=row["author"], made=float(row["made"]), draft=draft)


def _rating(row: Row) -> Rating:
    severity = Severity(row["severity"])
    return Rating(probe=int(row["probe"]), by=row["who"], severity=severity, reason=row["reason"], at=float(row["at"]))


def _challenge(row: Row) -> Challenge:
    kept: dict[str, Any] = {"assumption": int(row["assumption"]), "by": row["who"], "reason": row["reason"]}
    return Challenge(standing=Standing(row["standing"]), probe=int(row["probe"] or 0), at=float(row["at"]), **kept)


def _assumption(row: Row, challenges: tuple[Challenge, ...]) -> Assumption:
    kept = {name: row[name] for name in ("id", "system", "text", "author")}
    return Assumption(made=float(row["made"]), challenges=challenges, **kept)
