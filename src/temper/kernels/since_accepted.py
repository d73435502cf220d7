"""What is suspicious among the rows that are new since an accepted table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.kernels.overfull import OverFull, scan
from temper.kernels.table_diff import TableDiff, repeated, table_diff

Rows = np.ndarray[Any, Any]

_ODDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SinceAccepted:
    """The difference of the tables, the over-full boxes whose `rows` are positions in the new table, and the mask of
    new rows repeated over and over.
    """

    diff: TableDiff
    boxes: tuple[OverFull, ...]
    repeats: Rows

    @property
    def over_full(self) -> Rows:
        """Mask of the new rows in any over-full box."""
        return self._in(self.boxes)

    @property
    def accused(self) -> Rows:
        """Mask of the new rows in boxes that look stamped, and of those repeated over and over."""
        return np.asarray(self._in(tuple(box for box in self.boxes if box.stamped)) | self.repeats)

    def _in(self, boxes: tuple[OverFull, ...]) -> Rows:
        mask = np.zeros(len(self.repeats), dtype=bool)
        for box in boxes:
            mask[box.rows] = True
        return mask


def since_accepted(
    train: Data,
    accepted: Data,
    schema: Schema,
    rng: Draws,
    *,
    level: float = 1e-3,
    progress: Callable[[float], object] = id,
) -> SinceAccepted:
    """Rows that are new, the boxes in which there are too many of them at `level`, and rows that repeat.

    Which rows choose boxes and which test them hangs on the ids alone, not on the order of rows.
    """
    diff = table_diff(train, accepted)
    fresh = np.flatnonzero(diff.new)
    x = np.concatenate([np.asarray(accepted.x), np.asarray(train.x)[fresh]]).astype(np.float64)
    y = np.concatenate([np.asarray(accepted.y), np.asarray(train.y)[fresh]])
    new = np.arange(len(x)) >= len(accepted)
    halves = (Draws(rng.seed, rng.name, ids=np.asarray(ids)) for ids in (accepted.ids, np.asarray(train.ids)[fresh]))
    drawn = np.concatenate([half.uniform(np.arange(len(half.ids)), 0) for half in halves])
    follows = np.array([bool(column.formula) for column in schema.columns])
    boxes = scan(x, y, new, schema.categorical, follows, drawn < 0.5, level=level, progress=progress)
    repeats = np.zeros(len(train), dtype=bool)
    if len(fresh):
        repeats[fresh] = repeated(x, y, new, _ODDS, level)[new]
    return SinceAccepted(diff=diff, boxes=tuple(_placed(box, fresh, len(accepted)) for box in boxes), repeats=repeats)


def _placed(box: OverFull, fresh: Rows, before: int) -> OverFull:
    return replace(box, rows=fresh[box.rows - before])
