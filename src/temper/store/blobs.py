"""Arrays under the SHA-256 of their content, in a folder or a bucket: written whole or not at all, verified on every
read.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.errors import StoreError
from temper.store.bucket import Bucket
from temper.store.failure import RESUME, told

_LOCAL = "file://"


class Damaged(StoreError):
    """A stored array is gone or is no longer what was stored."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """A folder of immutable files, or a bucket of them at a `url` that fsspec knows. Any number of processes may write
    at once: equal content is the same file.
    """

    root: Path
    url: str = field(default="", repr=False)

    def put(self, content: bytes) -> str:
        """Store `content` durably and return its SHA-256 in hexadecimal. Raises `StoreError` when the disk is full."""
        name = hashlib.sha256(content).hexdigest()
        if self._held(name) != content:  # what a power cut left torn is written again rather than trusted
            self._place.write(_file(name), content)
        return name

    def get(self, name: str) -> bytes:
        """The content of this SHA-256; `Damaged` when it is missing or no longer what it was."""
        content = self._held(name)
        if content is None:
            raise Damaged(f"the stored array {name[:12]} is missing", fix="run its task again")
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

    @property
    def folder(self) -> Path | None:
        """The folder they are in, None where they are in a bucket."""
        if not self.url:
            return self.root
        return Path(self.url.removeprefix(_LOCAL)) if self.url.startswith(_LOCAL) else None

    @property
    def _place(self) -> _Folder | Bucket:
        return _Folder(self.folder) if self.folder is not None else Bucket(self.url)

    def _held(self, name: str) -> bytes | None:
        return self._place.read(_file(name))


@dataclass(frozen=True, slots=True)
class _Folder:
    """Files of a disk."""

    root: Path

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        with told(path, RESUME):
            return path.read_bytes() if path.exists() else None

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        with told(path, RESUME):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, content)


def _file(name: str) -> str:
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise StoreError(f"{name[:20]!r} is no SHA-256")
    return f"{name[:2]}/{name[2:]}"


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
