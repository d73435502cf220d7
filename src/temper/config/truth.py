"""The target column as class numbers that agree with the model's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import ConfigError

Vector = np.ndarray[Any, np.dtype[Any]]


def class_names(*columns: Any) -> tuple[str, ...]:
    """Every class that occurs in these columns, sorted as the model's own training sorted them.

    >>> class_names(["b", "a"], ["c"]), class_names([10, 2])
    (('a', 'b', 'c'), ('2', '10'))
    """
    found: dict[str, Any] = {}
    for column in columns:
        found |= {label_text(value): value for value in np.unique(_comparable(column))}
    return tuple(sorted(found, key=lambda name: (isinstance(found[name], str), found[name])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """`names` by class number; `turned` says that the model numbers its two classes the other way round."""

    names: tuple[str, ...]
    turned: bool = False


def ordered(names: Sequence[str], positive: str, count: int, labels: Sequence[str] = ()) -> Classes:
    """The classes in the order of the model's `count` scores; `positive` is class 1 of two.

    The model's own `labels` decide where they are known. Whole numbers below `count` are class numbers already, even
    where some never occur. Other names say nothing about the model's order: then the model is taken to score `positive`
    as 1. Raises `ConfigError` for one class only, an unknown `positive` or a number of classes the model does not have.
    """
    if len(names) < 2:
        raise ConfigError(
            f"the target column holds only one class: {', '.join(names) or 'none'}", fix="give it rows of every class"
        )
    own = next((own for own in (tuple(labels), tuple(map(str, range(count)))) if set(names) <= set(own)), ())
    order = own or tuple(names)
    if len(order) != count:
        shown = ", ".join(order[:6]) + (", ..." if len(order) > 6 else "")
        raise ConfigError(
            f"the target column holds {len(order)} classes ({shown}), the model scores {count}",
            fix="check which column is the target, or declare `model.kind: value` for a regression",
        )
    if positive and positive not in order:
        raise ConfigError(f"data.positive is {positive!r}, the classes are {', '.join(order)}", fix="use one of them")
    if positive and count == 2 and positive != order[1]:
        return Classes(names=order[::-1], turned=bool(own))
    return Classes(names=order)


def label_text(label: Any) -> str:
    """A class as it is named: 1.0 and True are "1", because files store flags in every way."""
    if isinstance(label, bool | np.bool_):
        return str(int(label))
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label)


def encode(column: Any, classes: Sequence[str]) -> Vector:
    """Class numbers (n,) of a column; a class that is not in `classes` is refused."""
    unique, inverse = np.unique(_comparable(column), return_inverse=True)
    place = {name: i for i, name in enumerate(classes)}
    unknown = [label_text(value) for value in unique if label_text(value) not in place]
    if unknown:
        raise ConfigError(
            f"the target column holds {', '.join(map(repr, unknown[:5]))}, the classes are {', '.join(classes)}",
            fix="give the test and the training table the same classes",
        )
    codes: Vector = np.array([place[label_text(value)] for value in unique], dtype=np.int64)[inverse]
    return codes


def values(column: Any) -> Vector:
    """A numeric target (n,) float64, for regression."""
    try:
        found: Vector = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError("the target of a regression must be numbers", fix="check `data.target`") from error
    _refuse_missing(found)
    return found


def _refuse_missing(found: Vector) -> None:
    import pandas as pd

    missing = int(pd.isna(found).sum())
    if missing:
        raise ConfigError(f"the target column is empty in {missing} row(s)", fix="drop the rows without a label")


def _comparable(column: Any) -> Vector:
    """The column as one sortable type: numbers stay numbers, anything else becomes text."""
    found = np.asarray(column)
    _refuse_missing(found)
    return np.array([label_text(value) for value in found]) if found.dtype == object else found
