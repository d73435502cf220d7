"""Predictions from wherever `monitor: feed:` says they are; this file reads tables, a folder of them by their names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from temper.config.rows import hashed
from temper.config.table import ENDINGS, header, read_columns, read_parts, require
from temper.config.truth import label_text
from temper.core.errors import ConfigError
from temper.core.outcome import Truth
from temper.core.schema import Schema
from temper.core.watch import Feed, Watch
from temper.monitoring import from_exchanges, from_ledger, from_sql
from temper.monitoring.arrived import Arrived, of_frame, seconds_of
from temper.monitoring.done import Done
from temper.monitoring.labels import Labels


def arrived(watch: Watch, schema: Schema, since: float = 0.0) -> Iterator[Arrived]:
    """The rows of a feed, in parts. Of all windows before `since` something was said already, so that a ledger and a
    database need not give them.
    """
    if watch.kind is Feed.LEDGER:
        return from_ledger.arrived(watch, since)
    if watch.kind is Feed.EXCHANGES:
        return from_exchanges.arrived(watch, since)
    if watch.kind is Feed.SQL:
        return from_sql.arrived(watch, schema, since)
    return (part for path in files_of(watch) for part in parts(path, watch, schema))


def parts(path: Path, watch: Watch, schema: Schema) -> Iterator[Arrived]:
    """The rows of one file, a large one in parts."""
    text = [column.name for column in schema.columns if column.type == "category"]
    return (of_frame(frame, watch, schema, path) for frame in read_parts(path, header(path), text))


def files_of(watch: Watch, known: frozenset[float] = frozenset(), done: Done | None = None) -> list[Path]:
    """The files of a feed; without those that `done` has seen to their end and whose windows are `known`."""
    return [path for path in _files(Path(watch.feed)) if done is None or not done.leaves_out(path, known)]


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
        at = seconds_of(frame[watch.time], watch.time) if watch.time in names else np.full(len(frame), -np.inf)
        known = y >= 0
        lost += int((~known).sum())
        found += Labels(ids=hashed(frame[watch.id])[known], y=y[known].astype(np.int64), at=at[known])
    notes = (f"{lost:,} labels are none of {', '.join(classes)}, and do not count",) if lost else ()
    return found, notes if lost or len(found.ids) else ("no label has come yet",)
