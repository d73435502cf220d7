"""Keys of programs: `kid.secret`, of which the store holds a keyed BLAKE2b under the pepper.

A key is a client's of the gateway, or one person's for their programs at the console. Neither opens the other's door.
"""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, sha512
from typing import Any

from temper.core.errors import StoreError, TemperError
from temper.core.review import Person, Right, Role
from temper.store.codec import from_json, to_json
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.people import allowed

LONGEST = 128
LONGEST_OVERLAP = 90 * 86400.0
LONGEST_LOAN = 366 * 86400.0
SEEN_AGAIN = 60.0
VERSION = "keys"
CHECK = "pepper"
_NOBODY = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key without its secret. `follows` is the key it replaces, `used` when a gateway last let it in (up to a
    minute late), None where it never was. `person` is whose programs it is for, None for a client of the gateway.
    """

    kid: str
    name: str
    group: str
    scopes: tuple[str, ...]
    expires: float | None
    created: float = 0.0
    revoked: float | None = None
    follows: str | None = None
    used: float | None = None
    person: str | None = None

    def lends(self, right: Right) -> bool:
        """Whether a program may do with it what takes this right, if the person may."""
        return self.person is not None and right.value in self.scopes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The keys that hold, in memory: a worker looks a token up without the database, and loads anew on `version`."""

    version: int
    _pepper: bytes = field(repr=False)
    _held: Mapping[str, tuple[bytes, float, Key]] = field(repr=False)

    def __len__(self) -> int:
        return len(self._held)

    def find(self, token: str, now: float) -> Key | None:
        """The key of this token, if it holds now. An unknown `kid` takes the work of a known one."""
        if len(token) > LONGEST:
            return None
        digest, expires, key = self._held.get(token.partition(".")[0], (_NOBODY, -math.inf, None))
        right = hmac.compare_digest(_digest(self._pepper, token), digest)
        return key if right and now < expires else None


class Keys:
    """The keys of a control store. `pepper` is asked for when it is first needed; True where it may be made."""

    def __init__(self, database: Database, pepper: Callable[[bool], bytes]) -> None:
        self._database = database
        self._pepper = pepper

    def add(
        self,
        name: str,
        by: str,
        now: float,
        *,
        scopes: tuple[str, ...] = ("score",),
        group: str = "",
        expires: float | None = None,
    ) -> str:
        """A new key: the token to hand to its owner, which cannot be shown again."""
        wording.name(name, "the name of a key")
        for word in (*scopes, *((group,) if group else ())):
            wording.name(word, "a scope or group")
        if not scopes or (expires is not None and not now < expires < math.inf):
            raise TemperError("a key needs a scope, and an end that is still to come", fix="correct scopes or expires")
        with self._database.write() as tx:
            kid, token = self._made(tx, name, group, to_json(list(scopes)), now, expires)
            audit.write(tx, now, by, "key.add", kid, name=name, group=group, scopes=list(scopes), expires=expires)
        return token

    def lend(self, person: str, scopes: tuple[str, ...], by: str, now: float, *, expires: float) -> str:
        """A key for the programs of a person: rights of theirs, for a year at most. Gives the token, which cannot be
        shown again. They themselves or an admin ask for it.
        """
        if not scopes or not now < expires <= now + LONGEST_LOAN:
            raise TemperError("a token needs a scope, and an end within a year", fix="correct scopes or days")
        with self._database.write() as tx:
            for scope in scopes:
                allowed(tx, person, _right(scope))
            if by != person:
                allowed(tx, by, Right.ADMINISTER)
            kid, token = self._made(tx, person, "", to_json(list(scopes)), now, expires, person=person)
            audit.write(tx, now, by, "key.lend", kid, person=person, scopes=list(scopes), expires=expires)
        return token

    def holder(self, token: str, now: float) -> tuple[Key, Person] | None:
        """The key of this token and whose it is, if both hold now. A client's key of the gateway is none here."""
        if len(token) > LONGEST:
            return None
        sql = (
            "SELECT k.*, p.role, p.created AS since, u.at AS used FROM access_key k JOIN person p ON p.name = k.person "
            "LEFT JOIN key_use u ON u.kid = k.kid WHERE k.kid = ? AND k.revoked IS NULL AND p.disabled = 0"
        )
        with self._database.read() as tx:
            row = tx.one(sql, token.partition(".")[0])
            if row is None:
                return None
            digest = _digest(self._checked_pepper(tx, make=False), token).hex()
        if not hmac.compare_digest(digest, row["digest"]) or now >= _end(row):
            return None
        if row["used"] is None or now - row["used"] > SEEN_AGAIN:
            self.used({row["kid"]: now})
        return _key(row), Person(name=row["person"], role=Role(row["role"]), created=row["since"])

    def rotate(self, kid: str, by: str, now: float, *, overlap: float) -> str:
        """A new key in place of this one, which holds for `overlap` seconds longer, and no longer than it did. The new
        one has its name, group and scopes, and holds as long as it was made for. Gives the new token.
        """
        if not 0.0 <= overlap <= LONGEST_OVERLAP:
            raise TemperError(f"an overlap of {overlap:g} s", fix=f"give 0 to {LONGEST_OVERLAP / 86400:.0f} days")
        with self._database.write() as tx:
            row = _existing(tx, kid)
            if row["revoked"] is not None or _end(row) <= now:
                raise TemperError(f"the key {kid} does not hold any more", fix="make a new one with `temper keys add`")
            if row["person"] is not None:
                raise TemperError(f"the key {kid} is lent to a person", fix="make another with `temper keys lend`")
            if after := tx.one("SELECT kid FROM access_key WHERE follows = ?", kid):
                raise TemperError(f"the key {kid} was replaced by {after['kid']}", fix="rotate that one")
            expires = None if row["expires"] is None else now + row["expires"] - row["created"]
            new, token = self._made(tx, row["name"], row["team"], row["scopes"], now, expires, kid)
            until = min(_end(row), now + overlap)
            tx.all("UPDATE access_key SET expires = ? WHERE kid = ?", until, kid)
            audit.write(tx, now, by, "key.rotate", kid, new=new, until=until, expires=expires)
        return token

    def revoke(self, kid: str, by: str, now: float) -> None:
        """End a key for good; a worker drops it when it looks at `version` next."""
        with self._database.write() as tx:
            if _existing(tx, kid)["revoked"] is None:
                tx.all("UPDATE access_key SET revoked = ? WHERE kid = ?", now, kid)
                _changed(tx)
                audit.write(tx, now, by, "key.revoke", kid)

    def all(self) -> list[Key]:
        """Every key, revoked and expired ones too, the oldest first."""
        sql = "SELECT k.*, u.at AS used FROM access_key k LEFT JOIN key_use u ON u.kid = k.kid ORDER BY created, k.kid"
        with self._database.read() as tx:
            return [_key(row) for row in tx.all(sql)]

    def used(self, times: Mapping[str, float]) -> None:
        """Note when keys, by kid, were last let in; what was noted later by another gateway stays."""
        sql = (
            "INSERT INTO key_use (kid, at) VALUES (?, ?) ON CONFLICT (kid) DO UPDATE SET at = excluded.at "
            "WHERE excluded.at > key_use.at"
        )
        with self._database.write() as tx:
            for kid, at in sorted(times.items()):
                tx.all(sql, kid, at)

    def snapshot(self) -> Snapshot:
        """The keys of clients that are not revoked, to look tokens up in."""
        with self._database.read() as tx:
            version = _version(tx)
            rows = tx.all("SELECT * FROM access_key WHERE revoked IS NULL AND person IS NULL")
            pepper = self._checked_pepper(tx, make=False) if rows else _NOBODY
        held = {row["kid"]: (bytes.fromhex(row["digest"]), _end(row), _key(row)) for row in rows}
        return Snapshot(version, pepper, held)

    def version(self) -> int:
        """A number that grows with every change of keys."""
        with self._database.read() as tx:
            return _version(tx)

    def _made(
        self,
        tx: Transaction,
        name: str,
        group: str,
        scopes: str,
        now: float,
        expires: float | None,
        follows: str | None = None,
        person: str | None = None,
    ) -> tuple[str, str]:
        """The kid and the token of a new key."""
        token = f"{secrets.token_hex(8)}.{secrets.token_urlsafe(32)}"
        kid, digest = token.partition(".")[0], _digest(self._checked_pepper(tx), token).hex()
        tx.all(
            "INSERT INTO access_key (kid, name, team, scopes, digest, created, expires, follows, person) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(kid, name, group, scopes, digest, now, expires, follows, person),
        )
        _changed(tx)
        return kid, token

    def _checked_pepper(self, tx: Transaction, make: bool = True) -> bytes:
        """The pepper, if it is the one that the keys were made with; it is made with the first key only."""
        row = tx.one("SELECT value FROM setting WHERE name = ?", CHECK)
        pepper = self._pepper(make and row is None)
        mark = hmac.digest(pepper, b"temper keys", "sha256").hex()
        if row is not None and not hmac.compare_digest(row["value"], mark):
            raise StoreError("the pepper is not the one that the keys were made with", fix="restore it from the backup")
        if row is None and make:
            tx.all("INSERT INTO setting (name, value) VALUES (?, ?)", CHECK, mark)
        return pepper


def _existing(tx: Transaction, kid: str) -> Row:
    if (row := tx.one("SELECT * FROM access_key WHERE kid = ?", kid)) is None:
        raise TemperError(f"there is no key {kid[:80]!r}", fix="`temper keys list` shows which there are")
    return row


def _right(scope: str) -> Right:
    if scope not in set(Right):
        raise TemperError(f"{scope[:40]!r} is no right", fix=f"use {', '.join(Right)}")
    return Right(scope)


def _digest(pepper: bytes, token: str) -> bytes:
    """What is kept of a token. OpenSSL's HMAC would let go of the interpreter's lock at every request, for the audit's
    writer to take.
    """
    return blake2b(token.encode("utf-8", "replace"), key=sha512(pepper).digest(), digest_size=32).digest()


def _changed(tx: Transaction) -> None:
    tx.all(
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        VERSION,
        str(_version(tx) + 1),
    )


def _version(tx: Transaction) -> int:
    row = tx.one("SELECT value FROM setting WHERE name = ?", VERSION)
    return int(row["value"]) if row else 0


def _end(row: Row) -> float:
    return math.inf if row["expires"] is None else row["expires"]


def _key(row: Row) -> Key:
    names = ("kid", "name", "expires", "created", "revoked", "follows", "person")
    kept: dict[str, Any] = {name: row[name] for name in names}
    kept["used"] = row.get("used")
    return Key(group=row["team"], scopes=tuple(from_json(row["scopes"])), **kept)
