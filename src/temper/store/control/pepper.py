"""The secret that is not in the database: without it, whoever copies the database cannot try keys against it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from temper.core.errors import StoreError
from temper.store.failure import told

VARIABLE = "TEMPER_PEPPER"
SHORTEST = 32


def beside(database: Path, *, make: bool) -> bytes:
    """The pepper in the file `pepper` beside the database, made where `make` allows it; two makers get one pepper."""
    path = database.parent / "pepper"
    with told(path):
        if make and not path.exists():
            _made(path)
        if not path.exists():
            raise StoreError(f"{path} is gone, and without it no key can be checked", fix="restore it from the backup")
        if path.stat().st_mode & 0o077:
            raise StoreError(f"{path} can be read by others than its owner", fix=f"chmod 600 {path}")
        return _long_enough(path.read_bytes(), str(path))


def of_environment(environment: Mapping[str, str]) -> bytes:
    """The pepper in TEMPER_PEPPER, the same on every node."""
    if not (text := environment.get(VARIABLE, "")):
        raise StoreError(
            f"{VARIABLE} is not set, and without it no key can be checked",
            fix=f"give every gateway the same {VARIABLE} of at least {SHORTEST} random characters",
        )
    return _long_enough(text.encode("utf-8", "surrogateescape"), VARIABLE)


def _made(path: Path) -> None:
    """Whole or not at all, and never over one that another process made meanwhile."""
    draft = path.with_name(f".pepper-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_hex(32).encode())
        os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.close(descriptor)
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _long_enough(pepper: bytes, place: str) -> bytes:
    if len(pepper) < SHORTEST:
        raise StoreError(f"the pepper in {place} has under {SHORTEST} bytes", fix="restore it from the backup")
    return pepper
