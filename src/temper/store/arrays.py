"""Named arrays in one file that says whether it is whole: no pickle, and written as a whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from temper.core.errors import StoreError

Array = np.ndarray[Any, Any]


def save(path: Path, arrays: Mapping[str, Array]) -> str:
    """Write them in place of an older file, and give their digest."""
    beside, told = path.with_name(f".{path.name}.part"), digest(arrays)
    with open(beside, "wb") as file:
        np.savez(file, digest=np.array(told), **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    return told


def load(path: Path, what: str) -> dict[str, Array]:
    """What was saved, or `StoreError` where it is damaged; `what` it is, for the message."""
    try:
        with open(path, "rb") as opened:
            return _read(opened, str(path), what)
    except OSError as error:
        raise StoreError(f"{path} cannot be read as {what}: {error}", fix="fit it again") from error


def packed(arrays: Mapping[str, Array]) -> bytes:
    """The same as a value, for a database."""
    file = io.BytesIO()
    np.savez_compressed(file, digest=np.array(digest(arrays)), **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def unpacked(data: bytes, what: str) -> dict[str, Array]:
    """What was packed, or `StoreError` where it is damaged.

    >>> unpacked(packed({"a": np.zeros(1)}), "a state")
    {'a': array([0.])}
    """
    return _read(io.BytesIO(data), f"the stored {what}", what)


def _read(file: IO[bytes], name: str, what: str) -> dict[str, Array]:
    try:
        with np.load(file, allow_pickle=False) as found:
            arrays = {key: found[key] for key in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise StoreError(f"{name} cannot be read as {what}: {error}", fix="fit it again") from error
    if str(arrays.pop("digest", "")) != digest(arrays):
        raise StoreError(f"{name} is damaged: its contents do not have the digest it names", fix="fit it again")
    return arrays


def digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of names, types, shapes and contents.

    >>> digest({"a": np.zeros(1)}) == digest({"a": np.zeros((1, 1))})
    False
    """
    total = hashlib.sha256()
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        total.update(value.tobytes())
    return total.hexdigest()
