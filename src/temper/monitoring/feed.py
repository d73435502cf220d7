"""Predictions from files: one table, or a folder of them, read in order and put into windows by their own times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.config.rows import hashed, moments
from temper.config.table import ENDINGS, header, read_columns, require
from temper.config.truth import label_text
from temper.core.errors import ConfigError
from temper.core.outcome import Truth
from temper.core.schema import Schema
from temper.core.watch import Watch
from temper.monitoring.coded import coded
from temper.monitoring.labels import Labels

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrived:
    """Rows of one file: `x` (n, d) with the score as its last column where the feed has one, `ids` (n,), `at` (n,) in
    seconds, `clients` (n,) where the feed says whose they are, and what was wrong with them.
    """

    x: Array
    ids: Array
    at: Array
    clients: Array | None
    troubles: tuple[str, ...]
    notes: tuple[str, ...]


def arrived(watch: Watch, schema: Schema) -> Iterator[Arrived]:
    """The rows of every file of the feed, the files by name."""
    for path in _files(Path(watch.feed)):
        names = header(path)
        for name in (watch.time, *(one for one in (watch.id, watch.score, watch.client) if one)):
            require(name, names, path)
        text = [column.name for column in schema.columns if column.type == "category"]
        yield _arrived(read_columns(path, names, text), watch, schema)


def _arrived(frame: pd.DataFrame, watch: Watch, schema: Schema) -> Arrived:
    seconds = _seconds(frame[watch.time], watch.time)
    x, troubles, notes = coded(frame, schema)
    if watch.score:
        import pandas as pd

        score = pd.to_numeric(frame[watch.score], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        x = np.column_stack([x, score])
    ids = hashed(frame[watch.id]) if watch.id else _of_content(x, seconds)
    clients = hashed(frame[watch.client]) if watch.client else None
    return Arrived(x=x, ids=ids, at=seconds, clients=clients, troubles=troubles, notes=notes)


def _seconds(column: Any, name: str) -> Array:
    at = moments(column, name)
    return np.asarray(at.astype("datetime64[s]").astype(np.int64).astype(float) if at.dtype.kind == "M" else at)


def _of_content(x: Array, at: Array) -> Array:
    """Numbers for rows without an id: the same row at the same time has the same one."""
    import hashlib

    rows = np.ascontiguousarray(np.column_stack([at, x]))
    found = [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little") >> 1 for row in rows]
    return np.array(found, dtype=np.int64)


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ConfigError(f"the feed {place} does not exist", fix="paths are relative to the temper.yaml")
    if not (found := _tables(place)):
        raise ConfigError(f"the feed {place} holds no table", fix="put .parquet or .csv files there")
    return found


def _tables(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_file() and one.name.lower().endswith(ENDINGS))


def labels_of(truth: Truth, watch: Watch, classes: tuple[str, ...]) -> tuple[Labels, tuple[str, ...]]:
    """The labels of every file, by name, and what was wrong with them. Where a file has the column of times, these say
    when each label was given; else nobody knows, and it was there from the start.
    """
    found = Labels(ids=np.zeros(0, np.int64), y=np.zeros(0, np.int64), at=np.zeros(0))
    lost, place = 0, Path(truth.labels)
    if not place.exists():
        raise ConfigError(f"the place of labels {place} does not exist", fix="paths are relative to the temper.yaml")
    for path in _tables(place) if place.is_dir() else [place]:
        names = header(path)
        for name in (watch.id, truth.label):
            require(name, names, path)
        frame = read_columns(path, names, ())
        y = np.array([classes.index(text) if text in classes else -1 for text in map(label_text, frame[truth.label])])
        at = _seconds(frame[watch.time], watch.time) if watch.time in names else np.full(len(frame), -np.inf)
        known = y >= 0
        lost += int((~known).sum())
        found += Labels(ids=hashed(frame[watch.id])[known], y=y[known].astype(np.int64), at=at[known])
    notes = (f"{lost:,} labels are none of {', '.join(classes)}, and do not count",) if lost else ()
    return found, notes if lost or len(found.ids) else ("no label has come yet",)
