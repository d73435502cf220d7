"""The rows a membership attack is judged on, and what a model gives the own class of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.target import ScoreKind

Vector = np.ndarray[Any, Any]


def pool(members: Data, others: Data) -> tuple[Data, Vector, Vector, int]:
    """Members then others without the rows both have: (rows, the ids they came with, member mask, rows dropped).

    The pool numbers its rows anew, because a training and a held-out row may bear the same id.

    A row that is in both cannot be called a member or not, and would only blur (or fake) the result.
    """
    left, right = ~found_in(members.x, others.x), ~found_in(others.x, members.x)
    dropped = len(left) + len(right) - int(left.sum()) - int(right.sum())
    if min(left.sum(), right.sum()) < 2:
        raise Unsupported(
            f"{dropped:,} rows are both training and held-out rows, too few others are left to tell them apart",
            fix="give held-out data that the model was not fitted on",
        )
    mine, theirs = members.take(np.flatnonzero(left)), others.take(np.flatnonzero(right))
    rows = Data(
        x=np.concatenate([np.asarray(mine.x), np.asarray(theirs.x)]),
        y=np.concatenate([np.asarray(mine.y), np.asarray(theirs.y)]),
        ids=np.arange(len(mine) + len(theirs)),
    )
    ids = np.concatenate([np.asarray(mine.ids), np.asarray(theirs.ids)])
    return rows, ids, np.arange(len(rows)) < len(mine), dropped


def found_in(rows: Any, others: Any) -> Vector:
    """Mask of `rows` (n,) whose every value also stands in one row of `others`; missing equals missing.

    >>> found_in(np.array([[1.0, np.nan], [2.0, 0.0]]), np.array([[1.0, np.nan]]))
    array([ True, False])
    """
    known = set(_keys(others))
    return np.fromiter((key in known for key in _keys(rows)), dtype=bool, count=len(rows))


def own_class(scores: Any, y: Any, kind: ScoreKind) -> Vector:
    """The probability (n,) a model gives each row's own class.

    >>> own_class(np.array([[0.0], [2.0]]), np.array([0, 1]), ScoreKind.MARGIN).round(2)
    array([0.5 , 0.88])
    """
    table, classes = np.asarray(scores, dtype=float), np.asarray(y, dtype=np.int64)
    if kind is ScoreKind.MARGIN:
        signed = np.where(classes == 1, table[:, 0], -table[:, 0])
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(signed, -700.0, 700.0))))
    if kind is ScoreKind.LOGITS:
        grown = np.exp(table - table.max(axis=1, keepdims=True))
        table = grown / grown.sum(axis=1, keepdims=True)
    return np.asarray(np.take_along_axis(table, classes[:, None], axis=1)[:, 0])


def _keys(rows: Any) -> list[bytes]:
    # Adding zero makes -0.0 and 0.0 one value; one bit pattern stands for every NaN.
    flat = np.ascontiguousarray(np.asarray(rows, dtype=float).reshape((len(rows), -1)) + 0.0)
    flat[np.isnan(flat)] = np.nan
    return [row.tobytes() for row in flat]
