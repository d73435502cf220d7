"""What the detectors share when they are fitted: ordinary rows in two parts, and which columns are categories."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.errors import ContractError, SchemaError
from temper.core.schema import Schema
from temper.core.seed import Draws

Array = np.ndarray[Any, Any]
_NONE = np.zeros(256, dtype=bool)
_NONE.flags.writeable = False


def dealt(x: Array, schema: Schema) -> Array:
    """Ordinary rows in an order drawn at random; float32, as rows are served."""
    if x.ndim != 2 or len(schema.columns) not in (0, x.shape[1]):
        raise SchemaError(
            f"ordinary rows have the shape {x.shape} and the schema has {len(schema.columns)} columns",
            fix="pass the columns of the schema, in its order",
        )
    with np.errstate(over="ignore"):
        rows = np.asarray(x, dtype=np.float32)
    return rows[Draws(0, "detectors.halves").generator().permutation(len(rows))]


def halves(x: Array, schema: Schema) -> tuple[Array, Array]:
    """Rows to fit on and rows to set the threshold by."""
    rows = dealt(x, schema)
    middle = (len(rows) + 1) // 2
    return rows[:middle], rows[middle:]


def categories(schema: Schema, columns: int) -> Array:
    """Which columns (d,) hold codes rather than numbers."""
    return schema.categorical if schema.columns else np.zeros(columns, dtype=bool)


def served(batch: Array, columns: int) -> Array:
    """Rows (n, columns) as contiguous float32; what is too large for that is infinite.

    Compiled code does not look where a row ends: rows of another width must not get there.
    """
    if batch.shape[1:] != (columns,):
        raise ContractError(f"rows have the shape {batch.shape}, and {columns} columns were fitted")
    if batch.dtype == np.float32:
        return np.ascontiguousarray(batch)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(batch, dtype=np.float32)


def none(n: int) -> Array:
    """No alarm at any of `n` rows, not to be written to."""
    return _NONE[:n] if n <= len(_NONE) else np.zeros(n, dtype=bool)
