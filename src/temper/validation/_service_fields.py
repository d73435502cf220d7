"""The fields of a service's answer that are neither scores nor labels: what kind they are and what they give away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.kernels.loss import decide
from temper.targets._array import to_numpy

Rows = np.ndarray[Any, Any]

_OWN = ("scores", "labels")
_KINDS = (
    (
        "counterfactuals",
        re.compile(r"counter_?factual|recourse|what_?if|alternative|nearest_(?:change|flip)", re.IGNORECASE),
        "a row beside the boundary with every answer, out of which a copy is made with a fraction of the queries",
    ),
    (
        "training rows",
        re.compile(r"neighbo|similar|exemplar|prototype|example", re.IGNORECASE),
        "rows like those it was trained on, which nobody outside should see",
    ),
    (
        "explanations",
        re.compile(r"shap|lime|explan|contribution|attribution|importance|saliency|gradient", re.IGNORECASE),
        "a number per column with every answer: as many equations per query as columns, and where to push",
    ),
    (
        "reason codes",
        re.compile(r"reason|adverse|because|rule|factor", re.IGNORECASE),
        "which columns decided: where a copy splits and where an evasion should push",
    ),
    (
        "a version",
        re.compile(r"version|build|commit|revision|artifact|trained|model", re.IGNORECASE),
        "which build answers, what to look up, and when a copy is out of date",
    ),
    (
        "a further score",
        re.compile(r"confiden|proba|margin|logit|raw|score|uncertain|percentile|rank", re.IGNORECASE),
        "a second or finer score than the one that is meant to be seen",
    ),
    (
        "inner workings",
        re.compile(r"debug|trace|stack|log|timing|elapsed|host|path|feature|input|query", re.IGNORECASE),
        "how it works inside, and what it computes from a row",
    ),
)
_OTHER = ("something else", "nothing that is known here: look at it by hand")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A field: its `path` in the answer, its `kind`, what that `gives` an attacker, and its `value`."""

    path: str
    kind: str
    gives: str
    value: Any


def extras(answer: Any, x: Rows, schema: Schema) -> tuple[Extra, ...]:
    """Every further field of an answer to the rows `x`; a field below another of the same kind is that one's."""
    found: list[Extra] = []
    for path, value in _walked(answer, ""):
        kind, gives = _kind(path, value, x, schema)
        below = any(path.startswith(f"{one.path}.") and one.kind == kind for one in found)
        if not below and not (isinstance(value, Mapping) and kind == _OTHER[0]):
            found.append(Extra(path=path, kind=kind, gives=gives, value=value))
    return tuple(found)


def _walked(answer: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every named field, from the outside in; of a list of records the first one speaks for all."""
    if not isinstance(answer, Mapping):
        return
    for name, value in answer.items():
        if not path and name in _OWN:
            continue
        here = f"{path}.{name}" if path else str(name)
        yield here, value
        yield from _walked(value, here)


def _kind(path: str, value: Any, x: Rows, schema: Schema) -> tuple[str, str]:
    """By its name, else by its shape: a number per column and row is an explanation whatever it is called."""
    name = path.rpartition(".")[2]
    named = next(((kind, gives) for kind, form, gives in _KINDS if form.search(name)), None)
    if named is not None and named[0] in ("counterfactuals", "training rows"):
        return named
    if _per_column(value, x, schema):
        return _KINDS[2][0], _KINDS[2][2]
    return named or _OTHER


def _per_column(value: Any, x: Rows, schema: Schema) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != len(x):
        return False
    names = {column.name for column in schema.columns}
    return all(
        (
            isinstance(one, Mapping)
            and bool(names)
            and len(names & set(one)) * 2 >= len(names)
            and _numbers(one.values())
        )
        or (isinstance(one, list) and len(one) == int(np.prod(x.shape[1:])) > 2 and _numbers(one))
        for one in value
    )


def _numbers(values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def flips(scene: Scene, x: Rows, extra: Extra) -> tuple[int, int]:
    """How many of the offered rows can be asked, and how many of them are decided otherwise than their own."""
    target: Any = scene.target
    offered = extra.value if isinstance(extra.value, list) and len(extra.value) == len(x) else []
    pairs = [(at, row) for at, one in enumerate(offered) for row in _rows(one, x[at], scene.schema)]
    if not pairs:
        return 0, 0
    made = np.array([row for _, row in pairs])
    try:
        said = [to_numpy(target.scores(rows)) for rows in (x[[at for at, _ in pairs]], made)]
    except TemperError:
        return 0, 0
    own, other = (np.asarray(decide(one, scene.kind, scene.threshold)) for one in said)
    return len(pairs), int((own != other).sum())


def _rows(offered: Any, own: Rows, schema: Schema) -> list[Rows]:
    """The row or rows that are offered for one, as the matrix has them; columns that are not named stay."""
    if isinstance(offered, list) and offered and isinstance(offered[0], list | Mapping):
        return [row for one in offered for row in _rows(one, own, schema)]
    if isinstance(offered, list) and len(offered) == len(own) and _numbers(offered):
        return [np.asarray(offered, dtype=float)]
    if not isinstance(offered, Mapping):
        return []
    row = np.array(own, dtype=float)
    for at, column in enumerate(schema.columns):
        if column.name in offered:
            value = offered[column.name]
            if column.categories and value in column.categories:
                value = column.categories.index(value)
            if not _numbers([value]):
                return []
            row[at] = float(value)
    return [row]
