"""What was changed, by whom and when: rows that each hold the hash of the one before.

This shows a change, a gap and a decision without its row. It does not show a chain that somebody with the file wrote
anew from some row to the end; for that its last digest must be kept somewhere else too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from temper.store.codec import from_json, to_json
from temper.store.control.database import Database, Row, Transaction

GENESIS = "0" * 64
PAGE = 5000
A_MINUTE = 60.0
VERIFIED = "evidence.verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change."""

    seq: int
    at: float
    who: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    digest: str
    previous: str = ""


class Audit:
    """The rows of the audit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._strangers: dict[str, float] = {}

    def note(self, now: float, who: str, action: str, subject: str, **detail: Any) -> None:
        """A row for what changes nothing: somebody was refused, or a program is about to change something."""
        with self._database.write() as tx:
            write(tx, now, who, action, subject, **detail)

    def stranger(self, now: float, door: str, why: str) -> None:
        """That somebody nobody knows was refused at this door: a row a minute at most, whoever knocks how often."""
        if abs(now - self._strangers.get(door, -math.inf)) >= A_MINUTE:
            self._strangers[door] = now
            self.note(now, door, "access.refuse", "", why=why)

    def page(self, limit: int = 50, before: int | None = None) -> list[Entry]:
        """The newest entries first; `before` goes on from the `seq` of the last one seen."""
        end = 2**62 if before is None else before
        with self._database.read() as tx:
            rows = tx.all("SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?", end, limit)
        return [_entry(row) for row in rows]

    def first(self) -> Entry | None:
        """The first entry: its digest tells one control store from another."""
        return next(self.since(0), None)

    def since(self, seq: int) -> Iterator[Entry]:
        """Every entry after this one, the oldest first."""
        while rows := self._after(seq):
            yield from map(_entry, rows)
            seq = rows[-1]["seq"]

    def verified(self, by: str, now: float, **found: Any) -> None:
        """Say that somebody held the evidence against its ledger, and what they found."""
        self.note(now, by, VERIFIED, "ledger", **found)

    def verification(self) -> Entry | None:
        """When that was done last; None where never."""
        with self._database.read() as tx:
            row = tx.one(f"SELECT * FROM audit WHERE action = '{VERIFIED}' ORDER BY seq DESC LIMIT 1")
        return _entry(row) if row else None

    def head(self) -> tuple[int, str]:
        """How many entries there are and the digest of the last: what to keep somewhere else."""
        with self._database.read() as tx:
            return _head(tx)

    def verify(self) -> list[str]:
        """What does not hold; empty where every row follows from the one before and every decision has its row."""
        faults: list[str] = []
        said: dict[int, str] = {}
        before = self._decided()
        seq, previous = 0, GENESIS
        while rows := self._after(seq):
            for row in rows:
                faults += _faults(row, seq, previous)
                seq, previous = row["seq"], row["digest"]
                if row["action"] == "review.decide":
                    detail = from_json(row["detail"])
                    said[detail["decision"]] = detail["digest"]
        return faults + _unsaid(before, said, self._decided())

    def _after(self, seq: int) -> list[Row]:
        with self._database.read() as tx:
            return tx.all("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", seq, PAGE)

    def _decided(self) -> dict[int, str]:
        with self._database.read() as tx:
            return {row["seq"]: opinion_digest(row) for row in tx.all("SELECT * FROM decision")}


def write(tx: Transaction, now: float, who: str, action: str, subject: str, **detail: Any) -> None:
    """Add a row in the transaction of the change it tells of."""
    seq, previous = _head(tx)
    row = {"seq": seq + 1, "at": float(now), "who": who, "action": action, "subject": subject}
    text = to_json(detail)
    digest = _digest(row | {"detail": text, "previous": previous})
    tx.all(
        "INSERT INTO audit (seq, at, who, action, subject, detail, previous, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *row.values(),
        text,
        previous,
        digest,
    )


def opinion_digest(row: Mapping[str, Any]) -> str:
    """What the audit keeps of a decision; `seen` counts where something was shown, so that older rows keep theirs."""
    fields = ("seq", "review", "round", "reviewer", "verdict", "reason", "token", "at")
    return _sha({name: row[name] for name in (*fields, *(["seen"] if row["seen"] else []))})


def _head(tx: Transaction) -> tuple[int, str]:
    row = tx.one("SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1")
    return (row["seq"], row["digest"]) if row else (0, GENESIS)


def _faults(row: Row, seq: int, previous: str) -> list[str]:
    faults = []
    if row["seq"] != seq + 1:
        faults.append(f"rows {seq + 1} to {row['seq'] - 1} of the audit are missing")
    if row["previous"] != previous:
        faults.append(f"row {row['seq']} of the audit does not follow from the one before")
    if row["digest"] != _digest(row):
        faults.append(f"row {row['seq']} of the audit was changed")
    return faults


def _unsaid(before: dict[int, str], said: dict[int, str], after: dict[int, str]) -> list[str]:
    """Decisions that differ from what the audit says of them: those from before it was read must all be in it, and all
    that are in it must be there afterwards.
    """
    astray = before.items() - said.items() | said.items() - after.items()
    return [f"decision {seq} is not the one in the audit" for seq in sorted({seq for seq, _ in astray})]


def _digest(row: Mapping[str, Any]) -> str:
    return _sha({name: row[name] for name in ("seq", "at", "who", "action", "subject", "detail", "previous")})


def _sha(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(dict(plain)).encode()).hexdigest()


def _entry(row: Row) -> Entry:
    kept = {name: row[name] for name in ("seq", "at", "who", "action", "subject", "digest", "previous")}
    return Entry(detail=from_json(row["detail"]), **kept)
