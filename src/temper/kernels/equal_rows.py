"""Which rows are the same, whatever a row is: numbers of a table, a picture, a text."""

from __future__ import annotations

from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]


def numbered(*parts: Any) -> tuple[Ints, ...]:
    """A number per row of every part (n, ...), the same one for equal rows wherever they lie; missing equals missing.

    >>> one, two = numbered(np.array([[1.0, np.nan], [2.0, 0.0]]), np.array([[2.0, -0.0]]))
    >>> bool(one[1] == two[0]), bool(one[0] == two[0])
    (True, False)
    """
    keys = np.concatenate([_keys(part) for part in parts if len(part)] or [np.empty(0, dtype="S1")])
    found: Ints = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    ends = np.cumsum([len(part) for part in parts])
    return tuple(np.split(found, ends[:-1]))


def times(number: Any, of: Any) -> Ints:
    """How often each number occurs among the numbers `of`.

    >>> times([0, 7], [7, 7, 3]).tolist()
    [0, 2]
    """
    most = int(max(np.max(number, initial=0), np.max(of, initial=0))) + 1
    return np.asarray(np.bincount(np.asarray(of, dtype=np.int64), minlength=most)[np.asarray(number, dtype=np.int64)])


def _keys(part: Any) -> Any:
    """One comparable value per row: its text, or its bytes with one zero and one missing value."""
    rows = np.asarray(part)
    if rows.dtype.kind in "OUS":
        return np.array([ascii(row) for row in rows]).astype("S")
    flat = rows.reshape(len(rows), -1).astype(np.float64) + 0.0
    flat = np.ascontiguousarray(np.where(np.isnan(flat), np.nan, flat))
    return flat.view(f"V{8 * flat.shape[1]}")[:, 0]
