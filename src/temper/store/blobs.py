"""Arrays on disk under the SHA-256 of their content: written whole or not at all, verified on every read."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.errors import StoreError
from temper.store.failure import RESUME, told


class Damaged(StoreError):
    """A stored array is gone or is no longer what was stored."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """A folder of immutable files. Any number of processes may write at once: equal content is the same file."""

    root: Path

    def put(self, content: bytes) -> str:
        """Store `content` durably and return its SHA-256 in hexadecimal. Raises `StoreError` when the disk is full."""
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        with told(path, RESUME):
            if not self._holds(path, name):
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_whole(path, content)
        return name

    def get(self, name: str) -> bytes:
        """The content of this SHA-256; `Damaged` when it is missing or no longer what it was."""
        path = self._path(name)
        with told(path, RESUME):
            if not path.exists():
                raise Damaged(f"the stored array {name[:12]} is missing", fix="run its task again")
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != name:
            raise Damaged(f"the stored array {name[:12]} was changed on disk", fix="run its task again")
        return content

    def put_array(self, array: np.ndarray[Any, Any]) -> str:
        """Store an array in NumPy's own format, never as a pickle; object arrays are refused."""
        if array.dtype.hasobject:
            raise StoreError(
                f"an array of {array.dtype} cannot be stored", fix="convert it to numbers or fixed strings"
            )
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return self.put(buffer.getvalue())

    def get_array(self, name: str) -> np.ndarray[Any, Any]:
        """The array of this SHA-256, with its shape and type."""
        array: np.ndarray[Any, Any] = np.load(io.BytesIO(self.get(name)), allow_pickle=False)
        return array

    def _path(self, name: str) -> Path:
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise StoreError(f"{name[:20]!r} is no SHA-256")
        return self.root / name[:2] / name[2:]

    def _holds(self, path: Path, name: str) -> bool:
        # A file that a power cut left torn is written again rather than trusted.
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == name


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside, flush to the disk, then rename: a reader sees the old state or the whole file."""
    handle, beside = tempfile.mkstemp(prefix="tmp-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    _sync_folder(path.parent.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where folders can be opened (not on Windows)."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
