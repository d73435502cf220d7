"""The reference between two runs: a file of counts beside the store, known by the digest of its contents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.detector import from_arrays, to_arrays
from temper.core.errors import StoreError
from temper.monitoring.reference import Reference
from temper.store.arrays import digest, load, save

FORMAT = 2


def keep(reference: Reference, path: Path) -> str:
    """Write it; its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return save(path, _arrays(reference))


def known_as(reference: Reference) -> str:
    """The digest it has, or would have, in a file."""
    return digest(_arrays(reference))


def read(path: Path) -> tuple[Reference, str]:
    """The reference in this file, and its digest. Raises `StoreError` where it is damaged or of another format."""
    arrays = load(path, "a reference")
    if int(arrays["format"]) != FORMAT:
        raise StoreError(f"{path} is of another Temper", fix="delete it and run `temper assess`, which makes it again")
    found = from_arrays(Reference, arrays)
    return replace(found, names=tuple(map(str, found.names))), digest(arrays)


def _arrays(reference: Reference) -> dict[str, np.ndarray[Any, Any]]:
    return {"format": np.array(FORMAT), **to_arrays(reference)}
