"""Rows as they come, from whatever feed: coded, with a time and a number each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.config.rows import hashed, moments
from temper.config.table import require
from temper.core.schema import Schema
from temper.core.watch import Watch
from temper.monitoring.coded import coded

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How often what is no row happened in the while that ended at `at`; `number` tells two of them apart."""

    number: int
    at: float
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrived:
    """Rows of one part of a feed: `x` (n, d) with the score as its last column where the feed has one, `ids` (n,), `at`
    (n,) in seconds, `clients` (n,) where the feed says whose they are, and what was wrong with them. Where the feed
    says who answered, `answered` (n,) are places in `versions`, "" for something other than the model. `counted` is
    what it counts besides rows.
    """

    x: Array
    ids: Array
    at: Array
    clients: Array | None
    troubles: tuple[str, ...]
    notes: tuple[str, ...]
    answered: Array | None = None
    versions: tuple[str, ...] = ()
    counted: tuple[Counted, ...] = ()


def of_frame(frame: pd.DataFrame, watch: Watch, schema: Schema, place: object = "the frame") -> Arrived:
    """The rows of a table. Raises `ConfigError` where it lacks a column that `monitor:` names."""
    names = [str(name) for name in frame.columns]
    for name in (watch.time, *(one for one in (watch.id, watch.score, watch.client) if one)):
        require(name, names, place)
    seconds = seconds_of(frame[watch.time], watch.time)
    x, troubles, notes = coded(frame, schema)
    if watch.score:
        import pandas as pd

        score = pd.to_numeric(frame[watch.score], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        x = np.column_stack([x, score])
    ids = hashed(frame[watch.id]) if watch.id else _of_content(x, seconds)
    clients = hashed(frame[watch.client]) if watch.client else None
    return Arrived(x=x, ids=ids, at=seconds, clients=clients, troubles=troubles, notes=notes)


def seconds_of(column: Any, name: str) -> Array:
    """When each row came, in seconds since 1970. Raises `ConfigError` for what is no time."""
    at = moments(column, name)
    return np.asarray(at.astype("datetime64[s]").astype(np.int64).astype(float) if at.dtype.kind == "M" else at)


def _of_content(x: Array, at: Array) -> Array:
    """Numbers for rows without an id: the same row at the same time has the same one."""
    import hashlib

    rows = np.ascontiguousarray(np.column_stack([at, x]))
    found = [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little") >> 1 for row in rows]
    return np.array(found, dtype=np.int64)
