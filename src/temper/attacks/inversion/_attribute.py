"""What an attacker asks about a hidden column: its values, what others make of them, and what the model does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.attacks.inversion._pool import own_class
from temper.attacks.inversion._statistics import logit
from temper.core.data import Data
from temper.core.errors import SchemaError, Unsupported
from temper.core.schema import Schema
from temper.core.target import ScoreKind, Target
from temper.judges._macro import area_of

Vector = np.ndarray[Any, Any]
_BINS, _FEWEST, _FLOOR = 8, 20, 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hidden:
    """A column that is guessed (or a one-hot group): the places `at`, the candidate `values` (k, len(at)), and which
    of them each row has (n,), -1 for a row that is left out.
    """

    name: str
    at: Vector
    values: Vector
    shown: tuple[str, ...]
    truth: Vector


def hidden(schema: Schema, name: str, x: Vector, most: int) -> Hidden:
    """The column as candidates: its `most` commonest values, or eighths of the rows where it has many numbers."""
    if name not in schema.names:
        raise SchemaError(f"there is no column {name!r} to guess", fix=f"use one of {', '.join(schema.names)}")
    column = schema.columns[schema.index(name)]
    at = np.array([schema.index(name)])
    if column.group:
        at = np.array([place for place, other in enumerate(schema.columns) if other.group == column.group])
    known = np.flatnonzero(~np.isnan(x[:, at]).any(axis=1))
    values, code, count = np.unique(x[np.ix_(known, at)], axis=0, return_inverse=True, return_counts=True)
    if len(values) > most and column.type in ("number", "integer"):
        values, code, count = _binned(x[known, at[0]])
    kept = np.sort(np.argsort(-count, kind="stable")[:most])
    kept = kept[count[kept] >= _FEWEST]
    if len(kept) < 2:
        raise Unsupported(f"{name} has not two values with {_FEWEST} rows each, so there is nothing to guess")
    renamed = np.full(len(values), -1)
    renamed[kept] = np.arange(len(kept))
    truth = np.full(len(x), -1)
    truth[known] = renamed[code.ravel()]
    words = tuple(
        schema.columns[at[int(np.argmax(value))]].name if column.group else column.show(float(value[0]))
        for value in values[kept]
    )
    return Hidden(name=column.group or name, at=at, values=values[kept], shown=words, truth=truth)


def grouped(schema: Schema, column: str, value: str, x: Vector, most: int) -> tuple[str, Vector]:
    """The group in words and its mask (n,): one value of the column, else the numbers above the median."""
    unknown = hidden(schema, column, x, most)
    if value and value not in unknown.shown:
        raise Unsupported(f"{column} has no common value {value!r}", fix=f"use one of {', '.join(unknown.shown)}")
    at = unknown.at[0]
    if not value and len(np.unique(x[:, at])) > most and schema.columns[at].type in ("number", "integer"):
        middle = float(np.nanmedian(x[:, at]))
        return f"{column} above {schema.columns[at].show(middle)}", x[:, at] > middle
    share = np.bincount(unknown.truth[unknown.truth >= 0], minlength=len(unknown.shown)) / len(x)
    chosen = unknown.shown.index(value) if value else int(np.argmin(np.abs(share - 0.5)))
    return f"{unknown.name} = {unknown.shown[chosen]}", unknown.truth == chosen


def imputed(unknown: Hidden, rows: Data, fold: Vector, seed: int) -> Vector:
    """What the other columns and the label say of the value (n, k), by a model that never saw the victim or the row."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    x = np.asarray(rows.x, dtype=float)
    table = np.column_stack([np.delete(x, unknown.at, axis=1), rows.y])
    found = np.full((len(table), len(unknown.values)), _FLOOR)
    for side in (0, 1):
        model = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=15, early_stopping=False, random_state=seed
        ).fit(table[fold != side], unknown.truth[fold != side])
        mine = np.flatnonzero(fold == side)
        found[np.ix_(mine, model.classes_)] = model.predict_proba(table[mine])
    return _shares(found)


def confidence(unknown: Hidden, rows: Data, target: Target, kind: ScoreKind) -> Vector:
    """What the model gives each row's own class if the row had each of the values (n, k)."""
    given = []
    for value in unknown.values:
        asked = np.array(rows.x, dtype=float)
        asked[:, unknown.at] = value
        given.append(own_class(target.scores(asked), rows.y, kind))
    return np.asarray((np.stack(given, axis=1) + _FLOOR) / (1.0 + 2.0 * _FLOOR))


def likelihood(confident: Vector, prior: Vector) -> Vector:
    """Prior times what the model gives the label, value by value (n, k).

    >>> likelihood(np.array([[0.9, 0.3]]), np.array([0.25, 0.75])).round(2)
    array([[0.5, 0.5]])
    """
    return _shares(prior * confident)


def guessed(imputation: Vector, confident: Vector, truth: Vector, member: Vector, fold: Vector) -> Vector:
    """The attack (n, k): on each half whichever did better on the members of the other half, the likelihood alone or
    one blended with the imputation by weights learned there.
    """
    found = np.empty_like(imputation)
    shown = _shown(imputation, confident)
    for side in (0, 1):
        taught, asked = np.flatnonzero(member & (fold != side)), np.flatnonzero(fold == side)
        prior = np.bincount(truth[fold != side], minlength=imputation.shape[1]) / np.count_nonzero(fold != side)
        both = np.concatenate([taught, asked])
        ways = (likelihood(confident[both], prior), _blend(shown, truth, taught, both))
        best = max(ways, key=lambda way: area_of(truth[taught], way[: len(taught)]).value)
        found[asked] = best[len(taught) :]
    return found


def _blend(shown: Vector, truth: Vector, taught: Vector, asked: Vector) -> Vector:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    k, width = shown.shape[1:]
    right = truth[taught][:, None] == np.arange(k)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(shown[taught].reshape(-1, width), right.ravel())
    return _shares(model.predict_proba(shown[asked].reshape(-1, width))[:, 1].reshape(-1, k))


def _shown(imputation: Vector, confident: Vector) -> Vector:
    """Per row and value (n, k, 4): log odds by imputation, and how the model's answer lies above those to the other
    values, as a ratio, in log odds and plainly.
    """
    k = confident.shape[1]
    odds, log = logit(confident), np.log(confident)
    above = [one - (one.sum(axis=1, keepdims=True) - one) / (k - 1) for one in (log, odds)]
    largest = np.sort(confident, axis=1)
    rival = np.where(confident == largest[:, -1:], largest[:, -2:-1], largest[:, -1:])
    return np.stack([logit(imputation), *above, confident - rival], axis=2)


def _binned(values: Vector) -> tuple[Vector, Vector, Vector]:
    """Medians of eighths of the rows (k, 1), which one each row falls in, and how many do."""
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
    code = np.unique(np.searchsorted(edges, values, "right"), return_inverse=True)[1]
    middle = np.array([np.median(values[code == at]) for at in range(code.max() + 1)])
    return middle[:, None], code, np.bincount(code)


def _shares(table: Vector) -> Vector:
    return np.asarray(table / table.sum(axis=1, keepdims=True))
