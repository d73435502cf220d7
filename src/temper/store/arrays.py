"""Named arrays in one file that says whether it is whole: no pickle, and written as a whole or not at all."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise StoreError(f"{path} cannot be read as {what}: {error}", fix="fit it again") from error
    if str(arrays.pop("digest", "")) != digest(arrays):
        raise StoreError(f"{path} is damaged: its contents do not have the digest it names", fix="fit it again")
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
