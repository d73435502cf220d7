"""Measurements of a whole defence, as the store keeps them: what its layers are worth, and what gets through all."""

from __future__ import annotations

from collections.abc import Iterator

from temper.core.depth import Depth
from temper.store.codec import unwrap
from temper.store.database import Store

TASK, FORMAT = "layers", "temper.depth"
"""Under which name the store keeps a measurement, and as what."""


def depths(store: Store) -> Iterator[tuple[str, Depth]]:
    """Each with the key that it is kept under, the newest first."""
    kept = [(key, unwrap(FORMAT, Depth, document)) for key, document in store.documents_of(TASK).items()]
    yield from sorted(kept, key=lambda one: -one[1].at)


def depth_of(store: Store, key: str) -> Depth | None:
    """The one of this key, None where there is none."""
    return next((one for known, one in depths(store) if known == key), None)
