"""Rows with their truth and their stable ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""A NumPy array or a torch tensor: attack mathematics is written once against the namespace of its input."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """`x` (n, d) or (n, c, h, w), `y` (n,) class numbers (or values), `ids` (n,) stable sample numbers.

    Tables are float64 matrices; a category is its position in `Column.categories`, a missing value is NaN.
    `supplier` (n,) says in words who delivered each row, `time` (n,) when it came (datetime64[s], or numbers that rise
    with time), where that is known.

    >>> Data(x=np.zeros((3, 2)), y=np.array([0, 1, 0])).take([2]).ids
    array([2])
    """

    x: Array
    y: Array
    ids: Array = field(default=None)
    supplier: Array | None = None
    time: Array | None = None

    def __post_init__(self) -> None:
        if self.ids is None:
            object.__setattr__(self, "ids", np.arange(len(self.x)))

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Any) -> Data:
        """The rows at these positions, ids kept."""
        supplier, time = (None if known is None else known[rows] for known in (self.supplier, self.time))
        return Data(x=self.x[rows], y=self.y[rows], ids=self.ids[rows], supplier=supplier, time=time)

    def positions(self, ids: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Where the rows with these ids are, in whatever order they lie; -1 for an id that is not here.

        >>> Data(x=np.zeros((3, 1)), y=np.zeros(3), ids=np.array([9, 2, 5])).positions([5, 9, 7])
        array([ 2,  0, -1])
        """
        order = np.argsort(self.ids, kind="stable")
        place = np.searchsorted(self.ids, ids, sorter=order)
        found = order[np.minimum(place, len(order) - 1)]
        return np.where(np.asarray(self.ids)[found] == np.asarray(ids), found, -1)
