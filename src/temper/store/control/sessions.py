"""Who is signed in. A browser holds 32 random bytes; the store holds their SHA-256 only."""

from __future__ import annotations

import hashlib
import secrets

from temper.core.review import Person, Right, Role
from temper.store.control import audit
from temper.store.control.database import Database
from temper.store.control.people import allowed

IDLE = 1800.0
LONGEST = 43200.0
STEP = 60.0
"""Seconds within which being seen again is not written down."""


class Sessions:
    """The sessions of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, person: str, now: float, **how: str) -> str:
        """Sign somebody in who was checked: the token for their browser. Old sessions are swept out. The audit says
        `how`, where it was not by password.
        """
        token = secrets.token_urlsafe(32)
        with self._database.write() as tx:
            allowed(tx, person, Right.READ)
            tx.all("DELETE FROM session WHERE seen <= ? OR opened <= ?", now - IDLE, now - LONGEST)
            sql = "INSERT INTO session (token, person, opened, seen) VALUES (?, ?, ?, ?)"
            tx.all(sql, _digest(token), person, now, now)
            audit.write(tx, now, person, "session.open", person, **how)
        return token

    def find(self, token: str, now: float) -> Person | None:
        """Whose session this is; None after 30 minutes without a sign of life, after 12 hours, or once closed."""
        digest = _digest(token)
        with self._database.read() as tx:
            row = tx.one(
                "SELECT p.name, p.role, p.created, s.seen FROM session s JOIN person p ON p.name = s.person "
                "WHERE s.token = ? AND s.seen > ? AND s.opened > ? AND p.disabled = 0",
                digest,
                now - IDLE,
                now - LONGEST,
            )
        if row is None:
            return None
        if now - row["seen"] > STEP:
            with self._database.write() as tx:
                tx.all("UPDATE session SET seen = ? WHERE token = ? AND seen < ?", now, digest, now)
        return Person(name=row["name"], role=Role(row["role"]), created=row["created"])

    def begun(self, token: str) -> float | None:
        """When this session was opened; None where it has ended."""
        with self._database.read() as tx:
            row = tx.one("SELECT opened FROM session WHERE token = ?", _digest(token))
        return None if row is None else float(row["opened"])

    def close(self, token: str, now: float) -> None:
        """Sign out; a session that has ended already says nothing."""
        with self._database.write() as tx:
            for row in tx.all("DELETE FROM session WHERE token = ? RETURNING person", _digest(token)):
                audit.write(tx, now, row["person"], "session.close", row["person"])


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
