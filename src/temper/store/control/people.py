"""Who may sign in, and as what. Passwords are kept as argon2id and never anything else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from temper.core.errors import StoreError, TemperError
from temper.core.review import Conflict, Forbidden, Person, Role
from temper.store.control import audit, case, wording
from temper.store.control.database import Database, Row, Transaction

if TYPE_CHECKING:
    from argon2 import PasswordHasher

TRIES = 5
FIRST_WAIT = 30.0
LONGEST_WAIT = 900.0
SHORTEST, LONGEST = 12, 256
HASHES_AT_ONCE = 2
PATIENCE = 10.0


class People:
    """The people of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hashes = threading.BoundedSemaphore(HASHES_AT_ONCE)

    def add(self, name: str, role: Role, password: str, by: str, now: float) -> Person:
        """Let somebody in. Raises `TemperError` for a name that is taken or a password that is too short."""
        wording.name(name)
        secret = self._hash(_acceptable(password))
        with self._database.write() as tx:
            if tx.one("SELECT 1 AS taken FROM person WHERE name = ?", name):
                raise TemperError(f"{name} exists already", fix="choose another name")
            sql = "INSERT INTO person (name, role, secret, created) VALUES (?, ?, ?, ?)"
            tx.all(sql, name, int(role), secret, now)
            audit.write(tx, now, by, "person.add", name, role=Role(role).label)
        return Person(name=name, role=Role(role), created=now)

    def check(self, name: str, password: str, now: float) -> Person | None:
        """The person, if the password is theirs; None for everything else, after the same work.

        Every try counts as a failure before it is looked at, so that guessing side by side gains nothing. After five
        the name waits half a minute, then twice as long each time, a quarter of an hour at most.
        """
        row = self._tried(name, now)
        right = self._matches(row["secret"] if row else self._decoy, password)
        if row is None or not right:
            return None
        with self._database.write() as tx:
            tx.all("UPDATE person SET failures = 0, waits = 0 WHERE name = ?", name)
            found = tx.one("SELECT * FROM person WHERE name = ? AND disabled = 0", name)
        return _person(found) if found else None

    def get(self, name: str) -> Person | None:
        """The person of this name, disabled or not."""
        with self._database.read() as tx:
            row = tx.one("SELECT * FROM person WHERE name = ?", name)
        return _person(row) if row else None

    def all(self) -> list[Person]:
        """Everybody, by name."""
        with self._database.read() as tx:
            return [_person(row) for row in tx.all("SELECT * FROM person ORDER BY name")]

    def set_role(self, name: str, role: Role, by: str, now: float) -> None:
        """Give somebody another role: their sessions end and cases they hold go back. The last admin stays one."""
        with self._database.write() as tx:
            before = _existing(tx, name)
            _keep_an_admin(tx, before, role is Role.ADMIN)
            tx.all("UPDATE person SET role = ? WHERE name = ?", int(role), name)
            tx.all("DELETE FROM session WHERE person = ?", name)
            case.let_go(tx, name, by, now)
            audit.write(tx, now, by, "person.role", name, role=Role(role).label, before=before.role.label)

    def set_password(self, name: str, password: str, by: str, now: float) -> None:
        """Give somebody a new password: their sessions end, and a name that waits need not wait any longer."""
        secret = self._hash(_acceptable(password))
        with self._database.write() as tx:
            _existing(tx, name)
            tx.all("UPDATE person SET secret = ?, failures = 0, waits = 0 WHERE name = ?", secret, name)
            tx.all("DELETE FROM session WHERE person = ?", name)
            audit.write(tx, now, by, "person.password", name)

    def disable(self, name: str, by: str, now: float) -> None:
        """Shut somebody out at once: sessions end, and cases they hold go back to the queue."""
        with self._database.write() as tx:
            _keep_an_admin(tx, _existing(tx, name), False)
            tx.all("UPDATE person SET disabled = 1 WHERE name = ?", name)
            tx.all("DELETE FROM session WHERE person = ?", name)
            case.let_go(tx, name, by, now)
            audit.write(tx, now, by, "person.disable", name)

    def _tried(self, name: str, now: float) -> Row | None:
        """The row to hold the password against, with one more failure noted; None where there is none or it waits."""
        with self._database.write() as tx:
            row = tx.one("SELECT * FROM person WHERE name = ? AND disabled = 0 AND waits <= ?", name, now)
            if row is None:
                return None
            failures = row["failures"] + 1
            pause = min(FIRST_WAIT * 2.0 ** min(failures - TRIES, 10), LONGEST_WAIT) if failures >= TRIES else 0.0
            tx.all("UPDATE person SET failures = ?, waits = ? WHERE name = ?", failures, now + pause, name)
            if failures == TRIES:
                audit.write(tx, now, name, "person.guessed", name, tries=failures)
        return row

    @cached_property
    def _hasher(self) -> PasswordHasher:
        try:
            from argon2 import PasswordHasher
        except ImportError as error:
            raise StoreError("passwords need argon2-cffi", fix="pip install argon2-cffi") from error
        return PasswordHasher()

    @cached_property
    def _decoy(self) -> str:
        """What the password of nobody is held against, so that a name that exists takes no longer."""
        return self._hash("nobody has this password")

    def _hash(self, password: str) -> str:
        with self._one_of_few():
            return self._hasher.hash(password)

    def _matches(self, secret: str, password: str) -> bool:
        from argon2.exceptions import VerificationError

        if len(password) > LONGEST:
            password = ""
        with self._one_of_few():
            try:
                return self._hasher.verify(secret, password)
            except (VerificationError, UnicodeEncodeError):
                return False

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        """Each hash takes 64 MiB: a crowd at the door must not take the memory of the gateway."""
        if not self._hashes.acquire(timeout=PATIENCE):
            raise Conflict("too many people sign in at once", fix="try again in a minute")
        try:
            yield
        finally:
            self._hashes.release()


def allowed(tx: Transaction, name: str, least: Role) -> Person:
    """The person, if they may; raises `Forbidden`."""
    row = tx.one("SELECT * FROM person WHERE name = ? AND disabled = 0", name)
    if row is None:
        raise Forbidden(f"{name} is nobody who may sign in", fix="ask an admin for an account")
    person = _person(row)
    if person.role < least:
        raise Forbidden(
            f"this takes the role {least.label}, {name} has {person.role.label}", fix="leave it to somebody who has it"
        )
    return person


def _person(row: Row) -> Person:
    return Person(name=row["name"], role=Role(row["role"]), disabled=bool(row["disabled"]), created=row["created"])


def _existing(tx: Transaction, name: str) -> Person:
    if (row := tx.one("SELECT * FROM person WHERE name = ?", name)) is None:
        raise TemperError(f"there is nobody called {name}", fix="`temper people list` shows who there is")
    return _person(row)


def _keep_an_admin(tx: Transaction, person: Person, stays: bool) -> None:
    others = tx.one("SELECT 1 AS found FROM person WHERE role = 3 AND disabled = 0 AND name <> ?", person.name)
    if person.role is Role.ADMIN and not person.disabled and not stays and others is None:
        raise TemperError(f"{person.name} is the last admin", fix="make somebody else an admin first")


def _acceptable(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise TemperError(
            f"a password has {SHORTEST} to {LONGEST} characters, this one has {len(password)}", fix="choose a sentence"
        )
    return password
