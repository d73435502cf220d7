"""Groups of people, from a column."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from temper.core.schema import Column


def groups(values: Any, column: Column, bands: int = 4) -> tuple[Any, list[str]]:
    """Group number (n,) per row and the groups' labels; numbers with many values become bands of equal count.

    >>> groups(np.array([0.0, 1.0, np.nan]), Column(name="sex", type="category", categories=("f", "m")))[1]
    ['f', 'm', 'missing']
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    found = np.unique(values[known])
    if column.type in ("number", "integer") and len(found) > 2 * bands:
        # An edge is the smallest value of its band, so that bands read as [edge, next edge).
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bands + 1)[1:-1], method="higher"))
        group = np.searchsorted(edges, values, side="right")
        edges = edges[edges > found[0]]
        shown = [column.show(edge) for edge in edges]
        labels = [f"below {shown[0]}", *(f"{a} to {b}" for a, b in pairwise(shown))]
        labels.append(f"{shown[-1]} and above")
    else:
        group, labels = np.searchsorted(found, values), [column.show(value) for value in found]
    if not known.all():
        group, labels = np.where(known, group, len(labels)), [*labels, "missing"]
    return group, labels
