"""Who may sign in, and as what. Passwords are kept as argon2id and never anything else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from temper.core.errors import StoreError, TemperError
from temper.core.review import RIGHTS, Conflict, Forbidden, Person, Right, Role
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
ANSWER = 1200.0
"""Seconds for which an answer of a provider is remembered: longer than any is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a provider says somebody is: `subject` never changes, `name` is what they are called here from the first
    time on. `nonce` is the word the provider was asked with.
    """

    issuer: str
    subject: str
    name: str
    nonce: str


class People:
    """The people of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit = audit.Audit(database)
        self._hashes = threading.BoundedSemaphore(HASHES_AT_ONCE)

    def add(self, name: str, role: Role, password: str, by: str, now: float) -> Person:
        """Let somebody in. Raises `TemperError` for a name that is taken or a password that is too short."""
        wording.name(name)
        secret = self._hash(_acceptable(password))
        with self._database.write() as tx:
            if tx.one("SELECT 1 AS taken FROM person WHERE name = ?", name):
                raise TemperError(f"{name} exists already", fix="choose another name")
            sql = "INSERT INTO person (name, role, secret, created) VALUES (?, ?, ?, ?)"
            tx.all(sql, name, role.value, secret, now)
            audit.write(tx, now, by, "person.add", name, role=role.label)
        return Person(name=name, role=role, created=now)

    def check(self, name: str, password: str, now: float) -> Person | None:
        """The person, if the password is theirs; None for everything else, after the same work.

        Every try counts as a failure before it is looked at, so that guessing side by side gains nothing. After five
        the name waits half a minute, then twice as long each time, a quarter of an hour at most.
        """
        row = self._tried(name, now)
        right = self._matches(row["secret"] if row else self._decoy, password)
        if row is None or not right:
            self._refused(row, now)
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
            _changed(tx, _existing(tx, name), role, by, now)

    def admit(self, identity: Identity, role: Role, now: float) -> Person:
        """Who a provider says has come in, with the role its claims give now; known again by the subject alone, made
        the first time. What it answered opens one session. Raises `Forbidden`.
        """
        wording.name(identity.name)
        with self._database.write() as tx:
            _once(tx, identity.nonce, now)
            row = tx.one("SELECT * FROM person WHERE issuer = ? AND subject = ?", identity.issuer, identity.subject)
            if row is None:
                return _introduced(tx, identity, role, now)
            if row["disabled"]:
                raise Forbidden(f"{row['name']} was shut out", fix="ask an admin")
            if _person(row).role is not role:
                _changed(tx, _person(row), role, "provider", now)
            return _person(row | {"role": role.value})

    def set_password(self, name: str, password: str, by: str, now: float) -> None:
        """Give somebody a new password: their sessions end, and a name that waits need not wait any longer."""
        secret = self._hash(_acceptable(password))
        with self._database.write() as tx:
            _existing(tx, name)
            if tx.one("SELECT 1 AS outside FROM person WHERE name = ? AND subject <> ''", name):
                raise TemperError(f"{name} signs in with a provider", fix="change the password there")
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
            sql = "SELECT * FROM person WHERE name = ? AND disabled = 0 AND waits <= ? AND secret <> ''"
            row = tx.one(sql, name, now)
            if row is None:
                return None
            failures = row["failures"] + 1
            pause = min(FIRST_WAIT * 2.0 ** min(failures - TRIES, 10), LONGEST_WAIT) if failures >= TRIES else 0.0
            tx.all("UPDATE person SET failures = ?, waits = ? WHERE name = ?", failures, now + pause, name)
            if failures == TRIES:
                audit.write(tx, now, name, "person.guessed", name, tries=failures)
        return row

    def _refused(self, row: Row | None, now: float) -> None:
        """A row for every wrong password of somebody. Any other name may be a password in the wrong field: not kept."""
        if row is None:
            self._audit.stranger(now, "password", "a name that nobody signs in with, or that has to wait")
        else:
            self._audit.note(now, "password", "access.refuse", row["name"], why="a wrong password")

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


def allowed(tx: Transaction, name: str, right: Right) -> Person:
    """The person, if they may; raises `Forbidden`."""
    row = tx.one("SELECT * FROM person WHERE name = ? AND disabled = 0", name)
    if row is None:
        raise Forbidden(f"{name} is nobody who may sign in", fix="ask an admin for an account")
    person = _person(row)
    if not person.may(right):
        raise Forbidden(
            f"this takes the role {holders(right)}, {name} has {person.role.label}",
            fix="leave it to somebody who has it",
        )
    return person


def holders(right: Right) -> str:
    """The roles that have a right, in words.

    >>> holders(Right.DECIDE), holders(Right.ADMINISTER)
    ('analyst, approver or admin', 'admin')
    """
    *others, last = [role.label for role, rights in RIGHTS.items() if right in rights]
    return f"{', '.join(others)} or {last}" if others else last


def _person(row: Row) -> Person:
    return Person(name=row["name"], role=Role(row["role"]), disabled=bool(row["disabled"]), created=row["created"])


def _changed(tx: Transaction, before: Person, role: Role, by: str, now: float) -> None:
    """Another role; what was begun under the one before ends."""
    _keep_an_admin(tx, before, role is Role.ADMIN)
    tx.all("UPDATE person SET role = ? WHERE name = ?", role.value, before.name)
    tx.all("DELETE FROM session WHERE person = ?", before.name)
    case.let_go(tx, before.name, by, now)
    audit.write(tx, now, by, "person.role", before.name, role=role.label, before=before.role.label)


def _once(tx: Transaction, nonce: str, now: float) -> None:
    tx.all("DELETE FROM answered_once WHERE at < ?", now - ANSWER)
    if tx.one("SELECT 1 AS used FROM answered_once WHERE nonce = ?", nonce):
        raise Forbidden("this answer of the provider was used before", fix="sign in again")
    tx.all("INSERT INTO answered_once (nonce, at) VALUES (?, ?)", nonce, now)


def _introduced(tx: Transaction, identity: Identity, role: Role, now: float) -> Person:
    if tx.one("SELECT 1 AS taken FROM person WHERE name = ?", identity.name):
        raise Forbidden(f"{identity.name} is somebody else here", fix="ask an admin: a name is one person's for good")
    sql = "INSERT INTO person (name, role, secret, created, issuer, subject) VALUES (?, ?, '', ?, ?, ?)"
    tx.all(sql, identity.name, role.value, now, identity.issuer, identity.subject)
    audit.write(tx, now, "provider", "person.add", identity.name, role=role.label, issuer=identity.issuer)
    return Person(name=identity.name, role=role, created=now)


def _existing(tx: Transaction, name: str) -> Person:
    if (row := tx.one("SELECT * FROM person WHERE name = ?", name)) is None:
        raise TemperError(f"there is nobody called {name}", fix="`temper people list` shows who there is")
    return _person(row)


def _keep_an_admin(tx: Transaction, person: Person, stays: bool) -> None:
    others = tx.one("SELECT 1 AS found FROM person WHERE role = 'admin' AND disabled = 0 AND name <> ?", person.name)
    if person.role is Role.ADMIN and not person.disabled and not stays and others is None:
        raise TemperError(f"{person.name} is the last admin", fix="make somebody else an admin first")


def _acceptable(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise TemperError(
            f"a password has {SHORTEST} to {LONGEST} characters, this one has {len(password)}", fix="choose a sentence"
        )
    return password
