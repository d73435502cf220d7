"""The public keys of people. The private ones stay with them: what they sign, nobody else here can."""

from __future__ import annotations

import re
from dataclasses import dataclass

from temper.core.errors import TemperError
from temper.core.review import Conflict, Forbidden, Right
from temper.store.control import audit
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.people import allowed

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A public Ed25519 key in hexadecimal, and whose it is; `ended` says since when nothing new is taken from it."""

    key: str
    person: str
    added: float
    ended: float | None = None


class Signers:
    """The keys of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, person: str, key: str, by: str, now: float) -> None:
        """Say that a key is somebody's; their key before ends. Only they themselves or an admin say so."""
        if not _KEY.fullmatch(key):
            raise TemperError("that is no public Ed25519 key", fix="give the .pub file of `temper sign --new-key NAME`")
        with self._database.write() as tx:
            self._may(tx, person, by)
            if (row := tx.one("SELECT person FROM signer WHERE key = ?", key)) is not None:
                raise Conflict(f"this key is {row['person']}'s already", fix="make another pair")
            tx.all("UPDATE signer SET ended = ? WHERE person = ? AND ended IS NULL", now, person)
            tx.all("INSERT INTO signer (key, person, added) VALUES (?, ?, ?)", key, person, now)
            audit.write(tx, now, by, "signer.add", person, key=key)

    def end(self, person: str, by: str, now: float) -> None:
        """Take nothing new from somebody's key: it was lost, or it may be in other hands."""
        with self._database.write() as tx:
            self._may(tx, person, by)
            tx.all("UPDATE signer SET ended = ? WHERE person = ? AND ended IS NULL", now, person)
            audit.write(tx, now, by, "signer.end", person)

    def of(self, person: str) -> list[Signer]:
        """The keys of somebody, the newest first."""
        with self._database.read() as tx:
            rows = tx.all("SELECT * FROM signer WHERE person = ? ORDER BY added DESC", person)
        return [_signer(row) for row in rows]

    def all(self) -> list[Signer]:
        """Every key, by person."""
        with self._database.read() as tx:
            return [_signer(row) for row in tx.all("SELECT * FROM signer ORDER BY person, added")]

    def _may(self, tx: Transaction, person: str, by: str) -> None:
        allowed(tx, person, Right.READ)
        if by != person and not allowed(tx, by, Right.READ).may(Right.ADMINISTER):
            raise Forbidden(f"{by} may not speak for {person}", fix="let them do it, or an admin")


def current(tx: Transaction, person: str) -> str | None:
    """The key that holds for somebody now."""
    row = tx.one("SELECT key FROM signer WHERE person = ? AND ended IS NULL", person)
    return str(row["key"]) if row else None


def _signer(row: Row) -> Signer:
    return Signer(**row)
