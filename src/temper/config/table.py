"""Tables from files: only the columns that are needed, and refused with the fix when they cannot be assessed."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from temper.core.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 10
"""Rows below which no figure means anything."""

_PARQUET = (".parquet", ".pq")
ENDINGS = (*_PARQUET, ".csv", ".tsv", ".txt", ".gz")
"""How the names of table files end."""

_VALUES = 15_000_000
"""In a part of a table: 120 MB of numbers."""
_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "<NA>")


def read_table(path: str | Path, columns: Sequence[str] | None = None, text: Sequence[str] = ()) -> pd.DataFrame:
    """The table in a parquet or CSV file; `columns` limits what is read, `text` names columns kept as written.

    Raises `ConfigError` for a missing or unreadable file, duplicated or absent columns, and fewer than ten rows.
    """
    path = Path(path)
    names = header(path)
    wanted = names if columns is None else list(dict.fromkeys(columns))
    for name in wanted:
        require(name, names, path)
    frame = read_columns(path, wanted, text)
    if len(frame) < FEWEST:
        raise ConfigError(
            f"{path} has {len(frame)} row(s), at least {FEWEST} are needed",
            fix="give it the held-out rows of the model",
        )
    return frame


def header(path: Path) -> list[str]:
    """The column names of a table file; duplicates are refused, because nobody knows which one is meant."""
    if not path.is_file():
        raise ConfigError(f"the table {path} does not exist", fix="paths are relative to the temper.yaml")
    names = _parquet_header(path) if _is_parquet(path) else _csv_header(path)
    if not names:
        raise ConfigError(f"{path} has no header", fix="write the column names into its first line")
    refuse_duplicates(names, str(path))
    return names


def refuse_duplicates(names: Sequence[str], place: str) -> None:
    """A `ConfigError` when a column name comes twice."""
    seen: set[str] = set()
    twice = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    if twice:
        raise ConfigError(f"{place} has duplicated columns: {', '.join(twice)}", fix="rename them")


def require(name: str, names: Sequence[str], place: object) -> None:
    """A `ConfigError` with the nearest name when a column is absent."""
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(list(names)[:12])}"
        raise ConfigError(f"{place} has no column {name!r}", fix=hint)


def _is_parquet(path: Path) -> bool:
    if path.suffix.lower() in _PARQUET:
        return True
    if path.suffix.lower() in ENDINGS:
        return False
    raise ConfigError(f"{path} is neither parquet nor CSV", fix="use a .parquet, .csv or .tsv file")


def _parquet_header(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return [str(name) for name in pq.read_schema(path).names if name != "__index_level_0__"]
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{path} is not a parquet file: {error}", fix="write it again with to_parquet") from error


def _csv_header(path: Path) -> list[str]:
    return next(_csv_rows(path), [])


def _csv_rows(path: Path) -> Iterator[list[str]]:
    import gzip

    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield from csv.reader(file, delimiter=_separator(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is not a CSV file: {error}", fix="save it as UTF-8 with a header line") from error


def _refuse_ragged(path: Path) -> None:
    """pandas drops surplus fields without a word when it reads some columns only, and an unquoted comma moves them."""
    rows = _csv_rows(path)
    width = len(next(rows))
    for number, row in enumerate(rows, start=1):
        if row and len(row) != width:
            raise ConfigError(
                f"{path}: data row {number} has {len(row)} fields, the header has {width}",
                fix="quote fields that contain the separator",
            )


def _separator(path: Path) -> str:
    return "\t" if ".tsv" in (suffix.lower() for suffix in path.suffixes) else ","


def read_parts(path: Path, columns: list[str], text: Sequence[str] = ()) -> Iterator[pd.DataFrame]:
    """What `read_columns` reads, of a parquet file in parts of some million values, whose types are those of the file;
    of text, which has no types, as a whole. One row group is in memory at a time: the readers of all of them together
    keep what they have read.
    """
    if not _is_parquet(path):
        yield read_columns(path, columns, text)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            many = max(FEWEST, _VALUES // len(columns))
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(many, row_groups=[group], columns=columns):
                    yield batch.to_pandas().reset_index(drop=True)[columns]
            if not file.metadata.num_rows:
                yield file.schema_arrow.empty_table().to_pandas().reset_index(drop=True)[columns]
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"cannot read {path}: {error}", fix="check the file with pandas") from error


def read_columns(path: Path, columns: list[str], text: Sequence[str] = ()) -> pd.DataFrame:
    """These columns of a table file, however few rows it has; those of `text` as they are written."""
    import pandas as pd

    text = [name for name in text if name in columns]

    try:
        if _is_parquet(path):
            return pd.read_parquet(path, columns=columns).reset_index(drop=True)[columns]
        _refuse_ragged(path)
        frame: pd.DataFrame = pd.read_csv(
            path,
            usecols=columns,
            sep=_separator(path),
            dtype=dict.fromkeys(text, str),
            keep_default_na=False,
            # A category called NA is a category, so in a text column only an empty field is missing.
            na_values={name: [""] if name in text else list(_MISSING) for name in columns},
            encoding="utf-8-sig",
            low_memory=False,
        )
        return frame[columns]
    except (ValueError, OSError) as error:
        raise ConfigError(f"cannot read {path}: {error}", fix="check the file with pandas") from error
