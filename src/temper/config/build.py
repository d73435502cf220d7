"""A system ready to be assessed, from Python objects; temper.yaml ends here too."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.order import refuse_swapped
from temper.config.policy import fitting, load_policy
from temper.config.rows import Rows, inferred, matrix, rows_of
from temper.config.truth import Vector, class_names, encode, label_text, ordered, values
from temper.core.data import Data
from temper.core.errors import ConfigError, TemperError
from temper.core.schema import Schema
from temper.core.system import Protected
from temper.core.target import ScoreKind, Target

_PLACES = {"data": "the test data", "train": "the training data", "accepted": "the accepted training data"}
_OURS = ("target", *_PLACES, "schema", "threshold", "positive", "classes", "policy", "version", "name")


def build_system(
    model: Any,
    data: Any,
    *,
    train: Any = None,
    accepted: Any = None,
    target: str = "y",
    positive: str | int = "",
    id: str = "",
    supplier: str = "",
    time: str = "",
    drop: Sequence[str] = (),
    schema: Schema | None = None,
    policy: Any = None,
    kind: str | ScoreKind | None = None,
    classes: int | None = None,
    threshold: float | None = None,
    stochastic: bool = False,
    version: str = "",
    authorised_by: str = "",
    trust_pickle: bool = False,
    http: Mapping[str, Any] | None = None,
    name: str = "system",
    **about: Any,
) -> Protected:
    """A `Protected` system from a model and its data.

    `model` is a raw fitted model, a path, a URL, a callable or a `Target`. `data`, `train` and `accepted` (the training
    rows of an earlier version) are pairs (X, y) or frames with the column `target`; `id` names a column of stable
    sample numbers, `supplier` one that says who delivered a training row, `time` one that says when a test row came,
    `drop` columns that are no features. Without `schema` an attacker may change every column. `positive` is the class
    called 1 of two, `classes` how many scores a callable gives. `about` holds other fields of `Protected`. Raises
    `ConfigError` for what does not fit.
    """
    _refuse_unknown(about)
    columns: dict[str, Any] = {"target": target, "id_column": id, "supplier": supplier, "time": time, "drop": drop}
    tables = _tables({"data": data, "train": train, "accepted": accepted}, schema, **columns)
    parts, schema = list(tables.values()), schema or inferred(*tables.values())
    how = {"stochastic": stochastic, "version": version, "authorised_by": authorised_by, "trust_pickle": trust_pickle}
    count = classes or _count(model, parts, _kind(kind))
    opened = _open(model, schema=schema, kind=_kind(kind), classes=count, http=http, **how)
    opened, names, ys = _agreed(opened, label_text(positive), _labels(model, opened), [part.y for part in parts])
    sets = _sets(tables, ys, schema)
    _refuse_wrong_truth(opened, sets["data"], names)
    return Protected(
        name=name,
        target=opened,
        data=sets["data"],
        train=sets.get("train"),
        accepted=sets.get("accepted"),
        schema=schema,
        threshold=_threshold(threshold, opened),
        positive=names[1] if len(names) == 2 else "",
        classes=names,
        policy=fitting(load_policy(policy), opened.classes),
        version=version,
        **about,
    )


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Complaints about rows say which table they are in."""
    try:
        yield
    except TemperError as error:
        raise type(error)(f"{place}: {error.message}", fix=error.fix) from error


def _sets(tables: Mapping[str, Rows], ys: Sequence[Any], schema: Schema) -> dict[str, Data]:
    """The tables that were given as matrices; an error says which of them."""
    sets = {}
    for (key, part), y in zip(tables.items(), ys, strict=True):
        with _naming(_PLACES[key]):
            sets[key] = Data(x=matrix(part, schema), y=y, ids=part.ids, supplier=part.supplier, time=part.time)
    return sets


def _tables(
    given: Mapping[str, Any], schema: Schema | None, *, supplier: str, time: str, **columns: Any
) -> dict[str, Rows]:
    told: dict[str, Any] = {"supplier": supplier, "time": time, "features": schema.names if schema else ()}
    found = {key: rows_of(part, **told, **columns) for key, part in given.items() if part is not None}
    _refuse_untold(found, supplier)
    if time and found["data"].time is None:
        raise ConfigError(
            f"the test data has no column {time!r}, which data.time names",
            fix="name a column of the test table that says when each row came",
        )
    return found


def _refuse_untold(tables: Mapping[str, Rows], supplier: str) -> None:
    """An accepted table is there to be compared with the training rows, and those are who must name a supplier."""
    if "accepted" in tables and "train" not in tables:
        raise ConfigError("there are accepted training rows and none to compare with them", fix="give `train` too")
    if supplier and ("train" not in tables or tables["train"].supplier is None):
        raise ConfigError(
            f"the training data has no column {supplier!r}, which data.supplier names",
            fix="name a column of the training table that says who delivered each row",
        )


def _open(model: Any, **how: Any) -> Target:
    if isinstance(model, Target):
        return model
    from temper.targets.load import open_target

    if isinstance(model, str | Path) and str(model).startswith(("http://", "https://")) and not how["authorised_by"]:
        raise ConfigError(f"attacks on {model} need permission", fix="say who gave it: `authorised_by: name, date`")
    opened: Target = open_target(model, **how)
    return opened


def _count(model: Any, parts: Sequence[Rows], kind: ScoreKind | None) -> int | None:
    """How many classes to expect of a model that cannot say so itself: a callable or a URL."""
    bare = callable(model) and not hasattr(model, "predict") and not hasattr(model, "parameters")
    named = isinstance(model, str) and ":" in model and not Path(model).exists()
    if kind in (ScoreKind.VALUE, ScoreKind.MARGIN) or not (bare or named):
        return None
    names = class_names(*(part.y for part in parts))
    numbers = [int(name) for name in names if name.isdecimal()]
    return max(max(numbers) + 1, 2) if len(numbers) == len(names) and 0 in numbers else max(len(names), 2)


def _labels(model: Any, opened: Target) -> tuple[str, ...]:
    """The labels an estimator was fitted on, in the order of its scores."""
    raw = None if isinstance(model, Target) else getattr(opened, "model", None)
    found = getattr(raw, "classes_", None)
    return () if found is None else tuple(label_text(label) for label in found)


def _agreed(
    opened: Target, positive: str, labels: tuple[str, ...], columns: list[Any]
) -> tuple[Target, tuple[str, ...], list[Vector]]:
    """The target with `positive` as class 1, the class names, and each column as class numbers (or values)."""
    if opened.kind is ScoreKind.VALUE:
        return opened, (), [values(column) for column in columns]
    classes = ordered(class_names(*columns), positive, opened.classes, labels)
    if classes.turned:
        from temper.targets.load import open_target

        opened = open_target(opened, positive=0)
    return opened, classes.names, [encode(column, classes.names) for column in columns]


def _kind(kind: str | ScoreKind | None) -> ScoreKind | None:
    if kind is None or isinstance(kind, ScoreKind):
        return kind
    words = [each.value for each in ScoreKind]
    if kind not in words:
        near = difflib.get_close_matches(kind, words, n=1)
        raise ConfigError(
            f"the model's kind is {kind!r}", fix=f"did you mean {near[0]!r}?" if near else f"use {', '.join(words)}"
        )
    return ScoreKind(kind)


def _threshold(threshold: float | None, target: Target) -> float | None:
    if threshold is None:
        return None
    if target.kind is ScoreKind.VALUE or target.classes != 2:
        raise ConfigError(
            f"a threshold needs a model with two classes, this one has {target.classes}", fix="remove `threshold`"
        )
    if target.kind is ScoreKind.PROBABILITIES and not 0 < threshold < 1:
        raise ConfigError(f"the threshold {threshold:g} is no probability", fix="give a number between 0 and 1")
    return threshold


def _refuse_wrong_truth(target: Target, data: Data, classes: tuple[str, ...]) -> None:
    """Rows of a single class, and classes the other way round than the model has them."""
    if target.kind is not ScoreKind.VALUE and len(np.unique(data.y)) < 2:
        raise ConfigError(
            f"every row of the test data has the class {classes[int(data.y[0])]!r}", fix="give it rows of every class"
        )
    refuse_swapped(target, data, classes)


def _refuse_unknown(about: dict[str, Any]) -> None:
    known = [field.name for field in fields(Protected) if field.name not in _OURS]
    for key in about:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise ConfigError(f"a system has no {key!r}", fix=hint)
