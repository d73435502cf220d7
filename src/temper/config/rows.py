"""Rows as a caller has them - a frame, a pair, arrays - as inputs, truth and stable ids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.table import FEWEST, refuse_duplicates, require
from temper.core.data import Array
from temper.core.errors import ConfigError
from temper.core.schema import Mutability, Schema
from temper.core.text import TextSchema, as_texts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """`x` a frame or an array (n, ...), `y` (n,) as it was given, `ids` (n,) int64, `supplier` (n,) words and `time`
    (n,) datetime64[s] or numbers, or None.
    """

    x: Any
    y: Any
    ids: np.ndarray[Any, np.dtype[np.int64]]
    supplier: np.ndarray[Any, Any] | None = None
    time: np.ndarray[Any, Any] | None = None


def rows_of(
    data: Any,
    *,
    target: str,
    id_column: str = "",
    supplier: str = "",
    time: str = "",
    features: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> Rows:
    """Rows of a frame with its target column, or of a pair (X, y). Raises `ConfigError` naming what does not fit.

    `supplier` and `time` are columns that need not be there: they say who delivered a row, and when it came. They are
    no features unless `features` names them.
    """
    if isinstance(data, tuple) and len(data) == 2:
        x, y = data
        if len(x) != len(y):
            raise ConfigError(f"X has {len(x)} rows and y has {len(y)}", fix="give one truth per row")
        return _enough(Rows(x=x, y=y, ids=np.arange(len(x))))
    if not hasattr(data, "columns"):
        raise ConfigError(
            f"data is a {type(data).__name__}", fix="give a pair (X, y) or a frame with the target column"
        )
    names = [str(name) for name in data.columns]
    refuse_duplicates(names, "the frame")
    for name in (target, *([id_column] if id_column else []), *drop):
        require(name, names, "the frame")
    frame = data.set_axis(names, axis=1)
    ids = stable_ids(frame[id_column]) if id_column else np.arange(len(frame))
    told = frame[supplier].astype(str).to_numpy(dtype=str) if supplier in names else None
    when = moments(frame[time], time) if time in names else None
    left_out = {target, id_column, *drop, *(() if told is None else (supplier,))}
    left_out |= set() if when is None or time in features else {time}
    x = frame.drop(columns=list(left_out - {""}))
    return _enough(Rows(x=x, y=frame[target], ids=ids, supplier=told, time=when))


def moments(column: Any, name: str) -> np.ndarray[Any, Any]:
    """When each row came: dates and times to the second (of a time zone, in UTC), numbers as they are.

    Raises `ConfigError` for a value that is missing or no time.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        found = np.asarray(column, dtype=np.float64)
        lost = ~np.isfinite(found)
    else:
        parsed = pd.to_datetime(column, errors="coerce", utc=True, format="mixed").dt.tz_localize(None)
        found, lost = parsed.to_numpy().astype("datetime64[s]"), parsed.isna().to_numpy()
    if lost.any():
        row = int(np.argmax(lost))
        raise ConfigError(
            f"{int(lost.sum()):,} values of the time column {name!r} are no time,"
            f" first {column.iloc[row]!r} in row {row}",
            fix="give dates such as 2027-01-31 12:00, or numbers that rise with time",
        )
    return found


def stable_ids(column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Sample numbers from an id column: whole numbers as they are, anything else hashed; duplicates are refused.

    >>> stable_ids(np.array([7, 3]))
    array([7, 3])
    """
    found = hashed(column)
    if len(np.unique(found)) != len(found):
        raise ConfigError("the id column has the same value in several rows", fix="name a column that is unique")
    return found


def hashed(column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Whole numbers as they are, anything else as a number that its text decides."""
    found = np.asarray(column)
    if not np.issubdtype(found.dtype, np.integer):
        digests = [hashlib.blake2b(str(value).encode(), digest_size=8).digest() for value in found]
        found = np.array([int.from_bytes(digest, "little") >> 1 for digest in digests], dtype=np.int64)
    return found.astype(np.int64)


def read_arrays(path: Path) -> tuple[Array, Array]:
    """`x` and `y` of an .npz file; pickled content is refused."""
    if not path.is_file():
        raise ConfigError(f"the data {path} does not exist", fix="paths are relative to the temper.yaml")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = {"x", "y"} - set(archive.files)
            if missing:
                raise ConfigError(
                    f"{path} has no array {min(missing)!r}, it has: {', '.join(archive.files)}",
                    fix="save it as np.savez(path, x=..., y=...)",
                )
            return archive["x"], archive["y"]
    except (ValueError, OSError) as error:
        raise ConfigError(f"cannot read {path}: {error}", fix="save it as np.savez(path, x=..., y=...)") from error


def inferred(*parts: Rows) -> Schema:
    """The worst case a schema can say: ranges as seen, and an attacker who may change every column at cost 1.

    Inputs without columns (images) get the box they live in: [0, 1] or [0, 255].
    """
    first = parts[0].x
    if getattr(first, "ndim", 2) != 2:
        return _box([np.asarray(part.x) for part in parts])
    import pandas as pd

    from temper.config import guess

    frame = pd.concat([pd.DataFrame(_named(part.x)) for part in parts], ignore_index=True)
    columns = guess.columns(frame)
    return Schema(columns=tuple(replace(column, attacker=Mutability.COSTLY) for column in columns))


def matrix(rows: Rows, schema: Schema) -> Array:
    """What the target takes: float64 (n, d) of the schema's columns, float32 arrays in its box, or texts (n,)."""
    if isinstance(schema, TextSchema):
        return _texts(rows.x)
    if not schema.columns:
        return _boxed(np.asarray(rows.x), schema)
    if hasattr(rows.x, "columns"):
        from temper.targets.frame import to_matrix

        _same_columns([str(name) for name in rows.x.columns], schema)
        return to_matrix(rows.x, schema)
    found = np.asarray(rows.x, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] != len(schema.columns):
        raise ConfigError(f"X has the shape {found.shape}, the schema has {len(schema.columns)} columns")
    return found


def _texts(x: Any) -> Array:
    """Texts (n,) from a list, an array, or a frame of one column."""
    if hasattr(x, "columns"):
        if len(x.columns) != 1:
            raise ConfigError(
                f"texts come in one column, and the data has {len(x.columns)}: {', '.join(map(str, x.columns))[:80]}",
                fix="name it in schema.text, and list the others in data.drop",
            )
        x = x.iloc[:, 0]
    found = as_texts(np.asarray(x, dtype=object))
    if found is None:
        raise ConfigError("the schema speaks of texts and the data holds none", fix="give one str per row")
    return found


def _same_columns(names: Sequence[str], schema: Schema) -> None:
    for name in schema.names:
        require(name, names, "the data")
    extra = [name for name in names if name not in set(schema.names)]
    if extra:
        raise ConfigError(
            f"the data has columns the schema does not know: {', '.join(extra[:8])}",
            fix="describe them in schema.columns, or list them in data.drop",
        )


def _enough(rows: Rows) -> Rows:
    if len(rows.ids) < FEWEST:
        raise ConfigError(f"the data has {len(rows.ids)} row(s), at least {FEWEST} are needed", fix="give more rows")
    return rows


def _named(x: Any) -> Any:
    """A frame as it is, an array with the columns f0, f1, ..."""
    if hasattr(x, "columns"):
        return x.set_axis([str(name) for name in x.columns], axis=1)
    import pandas as pd

    return pd.DataFrame(np.asarray(x), columns=[f"f{at}" for at in range(np.asarray(x).shape[1])])


def _box(parts: list[Any]) -> Schema:
    low = min(float(part.min()) for part in parts)
    high = max(float(part.max()) for part in parts)
    return Schema.box(min(low, 0.0), 1.0 if high <= 1 else max(high, 255.0))


def _boxed(x: Any, schema: Schema) -> Array:
    found = x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float32)
    low, high = float(found.min()), float(found.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < schema.low or high > schema.high:
        raise ConfigError(
            f"the inputs span [{low:g}, {high:g}], the schema's box is [{schema.low:g}, {schema.high:g}]",
            fix="scale the inputs, or write the box they live in",
        )
    return found
