"""Between the float64 matrix of a Schema and the data frame (or other coding) a model was fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.core.errors import ContractError, SchemaError
from temper.core.schema import Column, Schema

if TYPE_CHECKING:
    import pandas as pd

Matrix = np.ndarray[Any, Any]
_WORDS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
_SHOWN = 8


def to_frame(x: Matrix, schema: Schema, forms: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The data frame (n, d) that the matrix (n, d) codes: categories by name, whole numbers, true and false.

    `forms` says per column how a model wants it: "text", "number" (a category whose name is a number), "category"
    (pandas dtype) or "boolean". Raises `SchemaError` for a code that is no category.
    """
    import pandas as pd

    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != len(schema.columns):
        raise SchemaError(f"the matrix is {x.shape}, the schema has {len(schema.columns)} columns")
    forms = forms or {}
    columns = {c.name: _decoded(x[:, at], c, forms.get(c.name, "")) for at, c in enumerate(schema.columns)}
    return pd.DataFrame(columns)


def to_matrix(frame: pd.DataFrame, schema: Schema) -> Matrix:
    """The float64 matrix (n, d) of a data frame, columns in the schema's order; a missing value is NaN.

    Raises `SchemaError` naming the column and the value for an unseen category, a text among numbers, or an absent
    column. Columns the schema does not name are left out.
    """
    absent = [name for name in schema.names if name not in frame.columns]
    if absent:
        raise SchemaError(f"the table has no column {_listed(absent)}", fix="give the columns the schema names")
    x = np.empty((len(frame), len(schema.columns)))
    for at, column in enumerate(schema.columns):
        x[:, at] = _coded(frame[column.name], column)
    return x


def agree(names: Sequence[str] | None, count: int | None, schema: Schema | None, model: str) -> None:
    """A `ContractError` naming the differing columns when the model was fitted on other columns than the schema's."""
    if schema is None or not schema.columns:
        return
    if names is not None and tuple(names) != schema.names:
        raise ContractError(f"{model} and the schema disagree: {_difference(list(names), schema)}", fix=_FIX)
    if names is None and count is not None and count != len(schema.columns):
        raise ContractError(
            f"{model} was fitted on {count} columns and the schema has {len(schema.columns)}: {_listed(schema.names)}",
            fix=_FIX,
        )


_FIX = "give the model's own feature columns, in its order (leave out the target, ids and times)"


@dataclass(frozen=True, slots=True)
class Coding:
    """How a model that takes a bare matrix codes its categories: (column, its number for each category) pairs.

    Whoever fits on a bare matrix either stored its categories in the model, or fed numbers: then the number a category
    is named by is what the model saw, not its position.
    """

    tables: tuple[tuple[int, tuple[float, ...]], ...] = ()

    def apply(self, x: Matrix) -> Matrix:
        """The matrix as the model codes it; `x` itself when nothing differs."""
        if not self.tables:
            return x
        x = x.copy()
        for at, table in self.tables:
            x[:, at] = _looked_up(np.asarray(table), x[:, at])
        return x


UNCHANGED = Coding()


def coding(schema: Schema | None, known: Mapping[str, Sequence[object]] | None = None) -> Coding:
    """The coding of a model that knows these categories (by column name), in its own order."""
    tables = []
    for at, column in enumerate(schema.columns if schema else ()):
        table = _table(column, (known or {}).get(column.name))
        if table and table != tuple(map(float, range(len(table)))):
            tables.append((at, table))
    return Coding(tuple(tables))


def numeric(column: Column) -> bool:
    """Whether it is a category whose names are all numbers, such as education 1 to 4."""
    return column.type == "category" and all(_number(name) is not None for name in column.categories)


def _table(column: Column, known: Sequence[object] | None) -> tuple[float, ...]:
    if column.type != "category":
        return ()
    if known is not None:
        order = {_spelled(value): float(at) for at, value in enumerate(known)}
        return tuple(order.get(name, float("nan")) for name in column.categories)
    return tuple(float(name) for name in column.categories) if numeric(column) else ()


def _looked_up(table: Matrix, codes: Matrix) -> Matrix:
    """Table entries by code; NaN stays NaN, and so does a code outside the table."""
    valid = (codes >= 0) & (codes < len(table))
    return np.where(valid, table[np.where(valid, codes, 0).astype(np.int64)], np.nan)


def _decoded(values: Matrix, column: Column, form: str) -> Any:
    missing = np.isnan(values)
    if column.type == "category":
        return _category(values, missing, column, form)
    if (column.type == "boolean" or form == "boolean") and form != "number" and not missing.any():
        return values >= 0.5
    if column.type == "integer" and not missing.any() and (values == np.round(values)).all():
        return values.astype(np.int64)
    return values


def _category(values: Matrix, missing: Matrix, column: Column, form: str) -> Any:
    import pandas as pd

    codes = np.where(missing, -1, values).astype(np.int64)
    outside = (codes >= len(column.categories)) | ((codes < 0) & ~missing) | (~missing & (codes != values))
    if outside.any():
        raise SchemaError(
            f"column {column.name!r}: {values[outside][0]:g} is not the code of one of its "
            f"{len(column.categories)} categories",
            fix=f"codes run from 0 to {len(column.categories) - 1}",
        )
    if form == "category":
        return pd.Categorical.from_codes(codes, categories=pd.Index(column.categories, dtype=object))
    if form == "number":
        return _looked_up(np.array([float(name) for name in column.categories]), values)
    names = np.array([*column.categories, np.nan], dtype=object)
    return names[codes]


def _coded(series: pd.Series, column: Column) -> Matrix:
    import pandas as pd

    if column.type == "category":
        return _codes(series, column)
    if pd.api.types.is_datetime64_any_dtype(series):
        raise SchemaError(
            f"column {column.name!r} holds times, the schema says {column.type}",
            fix="turn it into a number, such as the hour or the days since a fixed date",
        )
    if pd.api.types.is_bool_dtype(series) or pd.api.types.is_numeric_dtype(series):
        values: Matrix = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return _only_flags(values, column)
    return _only_flags(_parsed(series, column), column)


def _parsed(series: pd.Series, column: Column) -> Matrix:
    """Numbers (or true and false) written as text or boxed as objects."""
    values = np.full(len(series), np.nan)
    for row, (value, empty) in enumerate(zip(series.to_numpy(dtype=object), series.isna().to_numpy(), strict=True)):
        if empty:
            continue
        known = _WORDS.get(str(value).strip().lower()) if column.type == "boolean" else None
        number = _number(str(value)) if known is None else known
        if isinstance(value, bool | np.bool_):
            number = float(value)
        if number is None:
            raise SchemaError(
                f"column {column.name!r}, row {row}: {value!r} is not a number",
                fix="correct the value, leave it empty, or declare the column as a category",
            )
        values[row] = number
    return values


def _only_flags(values: Matrix, column: Column) -> Matrix:
    if column.type == "boolean":
        odd = ~np.isnan(values) & (values != 0) & (values != 1)
        if odd.any():
            raise SchemaError(
                f"column {column.name!r}, row {int(np.argmax(odd))}: {values[odd][0]:g} is neither 0 nor 1",
                fix="declare the column as integer or number",
            )
    return values


def _codes(series: pd.Series, column: Column) -> Matrix:
    """Positions of the categories; each distinct value is looked up once."""
    import pandas as pd

    positions = {name: float(at) for at, name in enumerate(column.categories)}
    codes, distinct = pd.factorize(series.to_numpy(dtype=object))
    found = np.array([positions.get(_spelled(value), -1.0) for value in distinct] + [np.nan])
    if (found < 0).any():
        at = int(np.argmax(found < 0))
        row = int(np.argmax(codes == at))
        raise SchemaError(
            f"column {column.name!r}, row {row}: {distinct[at]!r} is not one of its categories "
            f"({_listed(column.categories)})",
            fix="add the category to the schema, or correct the value",
        )
    return found[codes]


def _spelled(value: object) -> str:
    """A category's name: whole numbers without a decimal point, for a column with gaps is read as float."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _difference(names: list[str], schema: Schema) -> str:
    missing = [name for name in names if name not in schema.names]
    extra = [name for name in schema.names if name not in names]
    told = []
    if missing:
        told.append(f"the schema lacks {_listed(missing)}")
    if extra:
        told.append(f"the model does not know {_listed(extra)}")
    if told:
        return "; ".join(told)
    at = next(i for i, (a, b) in enumerate(zip(names, schema.names, strict=True)) if a != b)
    return f"the same columns in another order (position {at}: {names[at]!r} and {schema.names[at]!r})"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
