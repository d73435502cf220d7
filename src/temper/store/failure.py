"""What the operating system or SQLite says when storing fails, in one sentence with the way out."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from temper.core.errors import StoreError

_ROOM = 2**20
AGAIN = "free space and try again"
RESUME = "free space and run with --resume"


@contextmanager
def told(path: Path, full: str = AGAIN) -> Iterator[None]:
    """Turn failures of the disk and of SQLite into `StoreError`; nothing stored before is touched by them. `full` is
    the way out of a full disk.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _of_sqlite(path, error, full) from error
    except OSError as error:
        raise _of_disk(path, error, full) from error
    except UnicodeDecodeError as error:  # SQLite quotes what is damaged, and its driver cannot read that
        raise StoreError(f"{path} is damaged: {error}", fix="restore it from a backup, or move it away") from error


def _of_sqlite(path: Path, error: sqlite3.Error, full: str) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _no_room(path)):
        return _full(path, full)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"{path} is held by another process", fix="let that run finish, or use another folder")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreError(f"{path} is damaged or no SQLite database", fix="restore it from a backup, or move it away")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreError(f"{path} cannot be opened for writing", fix="check the folder's permissions")
    return StoreError(f"{path}: {error}", fix="check the disk, and that it is not a network folder")


def _of_disk(path: Path, error: OSError, full: str) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path, full)
    return StoreError(
        f"{error.filename or path}: {error.strerror or error}", fix="check the folder and its permissions"
    )


def _no_room(path: Path) -> bool:
    """SQLite calls it an I/O error when the full disk has no room for its shared memory beside the database."""
    try:
        return shutil.disk_usage(path.parent).free < _ROOM
    except OSError:
        return False


def _full(path: Path, fix: str) -> StoreError:
    return StoreError(f"the disk is full while writing {path}; what was stored before is intact", fix=fix)
