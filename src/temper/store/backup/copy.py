"""Copies that are on the disk when they are told: of files, of databases that are being written, and of ledgers."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from temper.core.errors import StoreError
from temper.store.backup.manifest import Kept
from temper.store.failure import told
from temper.store.ledger import segment
from temper.store.ledger.log import segments

_PIECE = 2**20
_TRIES = 10


@contextmanager
def alone(to: Path) -> Iterator[None]:
    """A folder to make things in, for one process at a time."""
    with told(to):
        to.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(to, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StoreError(f"another backup or restore is at work in {to}", fix="wait for it to end") from None
    finally:
        os.close(handle)


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` in one step at the end, synced, or is taken away again."""
    draft = target.with_name(f".{target.name}.part")
    with told(draft):
        if draft.exists():  # of a process that was killed: whoever is here holds the lock of the place
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        try:
            yield draft
            for folder in (draft, *(one for one in draft.rglob("*") if one.is_dir())):
                synced(folder)
            draft.rename(target)
            synced(target.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def file(source: Path, target: Path) -> Kept:
    """A copy of a file, readable by its owner only; what was read is what the digest is of."""
    made, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with source.open("rb") as old, open(target, "xb", opener=_private) as new:
        while piece := old.read(_PIECE):
            made.update(piece)
            new.write(piece)
            size += len(piece)
        new.flush()
        os.fsync(new.fileno())
    return Kept(sha256=made.hexdigest(), size=size)


def written(target: Path, text: str) -> None:
    """A new file with this text, readable by its owner only."""
    with open(target, "x", encoding="utf-8", opener=_private) as new:
        new.write(text)
    synced(target)


def database(source: Path, target: Path) -> Kept:
    """A copy of a SQLite file as it stands at one moment, with all that was committed; it may be written meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(segment.reading(source)) as old, closing(sqlite3.connect(target, isolation_level=None)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, without a log beside it
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreError(
                f"{source} is damaged: {error}", fix="keep the last backup, and restore from it"
            ) from error
        raise
    synced(target)
    return digest(target)


def log(path: Path, folder: Path, name: Callable[[Path], str]) -> dict[str, Kept]:
    """Copies of every segment of a ledger's log below `folder`, where `name` puts them. When a segment is put aside
    under way, it is copied too, and so is the one begun after it: no record from before the start is missing.
    """
    kept: dict[str, Kept] = {}
    for _ in range(_TRIES):
        files = segments(path)
        for one in files:
            if one == path or name(one) not in kept:
                _again(one, folder / name(one), kept, name(one))
        if segments(path) == files and name(path) in kept:
            return kept
        time.sleep(0.05)
    raise StoreError(f"{path} is put aside again and again while it is copied", fix="try again")


def digest(path: Path) -> Kept:
    """The digest of a file."""
    with path.open("rb") as opened:
        return Kept(sha256=hashlib.file_digest(opened, "sha256").hexdigest(), size=path.stat().st_size)


def synced(path: Path) -> None:
    """See that a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _again(source: Path, target: Path, kept: dict[str, Kept], name: str) -> None:
    """A copy in place of the one before; none of a segment that is gone, or just about to be begun."""
    kept.pop(name, None)
    target.unlink(missing_ok=True)
    try:
        found = database(source, target)
        with closing(segment.reading(target)) as copied:
            begun = segment.found(copied, target)
    except sqlite3.OperationalError as error:
        # It may have been put aside and the next one begun under its name since: then it is looked for once more.
        moved = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CANTOPEN and os.access(source, os.R_OK)
        if source.exists() and not moved:
            raise
        begun = False
    if begun:
        kept[name] = found
    else:
        target.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
