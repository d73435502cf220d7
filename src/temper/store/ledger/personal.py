"""Personal data beside the audit ledger, under a key per person: erasing the key erases the person, not the proofs."""

from __future__ import annotations

import hmac
import secrets
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from temper.core.errors import StoreError
from temper.store.failure import told
from temper.store.ledger.segment import Database, connected

APPLICATION = 0x54504552
"""Marks a SQLite file as personal data of a ledger ("TPER")."""
_NONCE = 12
_TABLES = (
    "CREATE TABLE subject (name BLOB PRIMARY KEY, key BLOB NOT NULL) STRICT",
    "CREATE TABLE item (commitment BLOB PRIMARY KEY, subject BLOB NOT NULL REFERENCES subject ON DELETE CASCADE,"
    " sealed BLOB NOT NULL) STRICT",
    "CREATE INDEX item_subject ON item (subject)",
)


@dataclass(frozen=True, slots=True)
class Opening:
    """What shows that a commitment in the ledger was made to some data: anybody can check it, without a secret."""

    data: bytes
    blinding: bytes

    def commitment(self) -> bytes:
        """HMAC-SHA256 of the data under 32 random bytes that were used once."""
        return hmac.digest(self.blinding, self.data, "sha256")


class Personal:
    """What the ledger only commits to: an input, a name. AES-256-GCM under a key per person, which lies here too,
    itself sealed with `key`. `erase` deletes a person's key and data: commitments in the ledger stay, and so do all
    proofs, but nobody can tell any more what was committed to, not even by guessing.

    Misleads where copies exist: erase in backups too, and know that a disk may keep old blocks.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Personal(Path(folder) / "personal.db", bytes(32)) as personal:
    ...     bound = personal.keep("client 7", b"income 30,000")
    ...     opening = personal.open(bound)
    ...     opening.data, opening.commitment() == bound, personal.erase("client 7"), personal.open(bound)
    (b'income 30,000', True, 1, None)
    """

    def __init__(self, path: Path, key: bytes) -> None:
        if len(key) != 32:
            raise StoreError(f"a key of {len(key)} bytes", fix="use the 32 bytes of an Ed25519 key")
        self.path = path
        self._sealing = hmac.digest(key, b"temper ledger: keys of persons", "sha256")
        self._naming = hmac.digest(key, b"temper ledger: names of persons", "sha256")
        self._turn = threading.Lock()
        with told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = _prepared(path)

    def keep(self, subject: str, data: bytes) -> bytes:
        """Seal data of a person, synced; gives the commitment for the ledger."""
        return self.keep_all([(subject, data)])[0]

    def keep_all(self, entries: Sequence[tuple[str, bytes]]) -> list[bytes]:
        """The same for several at once, all or none of them: the disk is waited for once."""
        with self._turn, told(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                bounds = [self._kept(subject, data) for subject, data in entries]
                self._database.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        return bounds

    def open(self, bound: bytes) -> Opening | None:
        """What a commitment was made to; None where it was erased or never was."""
        with self._turn, told(self.path):
            found = self._database.execute("SELECT subject, sealed FROM item WHERE commitment = ?", (bound,)).fetchall()
            key = self._key(found[0][0]) if found else None
        if key is None:
            return None
        plain = _unseal(key, found[0][1], bound, self.path)
        return Opening(plain[32:], plain[:32])

    def of(self, subject: str) -> list[bytes]:
        """The commitments to all that is kept of a person."""
        with self._turn, told(self.path):
            found = self._database.execute("SELECT commitment FROM item WHERE subject = ?", (self._name(subject),))
            return [bound for (bound,) in found.fetchall()]

    def erase(self, subject: str) -> int:
        """Delete a person's key and everything under it, from the file and its log; gives how many items there were."""
        name = self._name(subject)
        with self._turn, told(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                many = self._database.execute("SELECT count(*) FROM item WHERE subject = ?", (name,)).fetchall()[0][0]
                self._database.execute("DELETE FROM subject WHERE name = ?", (name,))
                self._database.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            self._wipe()
        return int(many)

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._database.close()

    def __enter__(self) -> Personal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _kept(self, subject: str, data: bytes) -> bytes:
        """One of them, in the transaction that is open."""
        opening = Opening(data, secrets.token_bytes(32))
        bound, name = opening.commitment(), self._name(subject)
        sealed = _seal(self._key(name) or self._new_key(name), opening.blinding + data, bound)
        self._database.execute("INSERT INTO item VALUES (?, ?, ?)", (bound, name, sealed))
        return bound

    def _name(self, subject: str) -> bytes:
        """A person is found by name, and the file does not tell it."""
        return hmac.digest(self._naming, subject.encode("utf-8", "surrogatepass"), "sha256")

    def _key(self, name: bytes) -> bytes | None:
        found = self._database.execute("SELECT key FROM subject WHERE name = ?", (name,)).fetchall()
        return _unseal(self._sealing, found[0][0], name, self.path) if found else None

    def _new_key(self, name: bytes) -> bytes:
        key = secrets.token_bytes(32)
        self._database.execute("INSERT INTO subject VALUES (?, ?)", (name, _seal(self._sealing, key, name)))
        return key

    def _wipe(self) -> None:
        """Empty SQLite's log: it holds pages from before."""
        busy = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
        if busy:
            raise StoreError(f"{self.path} is being read, and traces are left in its log", fix="erase once more later")

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            self._database.execute("ROLLBACK")


def _prepared(path: Path) -> Database:
    database = connected(path)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "foreign_keys = ON"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchall()[0][0]
        owner = database.execute("PRAGMA application_id").fetchall()[0][0]
        if tables and owner != APPLICATION:
            raise StoreError(f"{path} holds no personal data of a ledger", fix="name another file")
        if not tables:
            database.execute("BEGIN IMMEDIATE")
            for statement in _TABLES:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _seal(key: bytes, plain: bytes, about: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def _unseal(key: bytes, sealed: bytes, about: bytes, path: Path) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
    except InvalidTag:
        raise StoreError(
            f"{path}: an entry was changed, or the key is another", fix="use the key it was written with"
        ) from None
