"""What every target promises, checked up front on a handful of rows, before anything is spent on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import ContractError, SchemaError, TemperError
from temper.core.schema import Schema
from temper.core.target import Access, ScoreKind, Target

_ROWS = 8
_SINGLES = 3
_WIDER = 512
_SUM = 1e-3

_CERTAIN = ("sklearn", "xgboost", "lightgbm", "catboost")
"""Adapters whose probabilities come from the library itself: a fully grown tree is sure of every row, and may be."""


def check(target: Target, x: Array, schema: Schema | None = None) -> None:
    """A `ContractError` in one plain sentence when the target breaks its contract on the first rows of `x`.

    Checked: columns, shape, finite numbers, probabilities, labels passed off as scores, logits that are
    probabilities, one row at a time against all at once, hidden randomness, changed inputs. It asks about 20 rows,
    and up to 512 more only when every score is exactly 0 or 1.
    """
    if not len(x):
        raise ContractError("there are no rows to check the model on", fix="give at least one row")
    if schema is not None and schema.columns and x.shape[1:] != (len(schema.columns),):
        raise ContractError(
            f"the data is {tuple(x.shape)}, the schema has {len(schema.columns)} columns",
            fix="give one value per column",
        )
    few = x[:_ROWS]
    given = _copied(few)
    scores = _asked(target, given)
    _refuse_changed(few, given)
    _refuse_shape(target, scores, len(few))
    _refuse_infinite(scores, few)
    _refuse_values(target, scores, x)
    if not target.stochastic:
        _refuse_random(target, scores, few)
        _refuse_company(target, scores, few)


def glance(target: Target, x: Array, schema: Schema) -> None:
    """The cheapest part of the contract, for rows handed in: one row is answered in the right shape with what its kind
    says, and some row satisfies the schema.
    """
    refuse_unfit(x, schema)
    if len(x):
        first = x[:1]
        scores = _asked(target, _copied(first))
        _refuse_shape(target, scores, 1)
        if target.kind is ScoreKind.PROBABILITIES and np.isfinite(scores).all():
            _refuse_shares(scores)


def refuse_unfit(x: Array, schema: Schema) -> None:
    """A `SchemaError` where every row breaks some relation as it came: such rules describe nothing."""
    unmet = schema.unmet(x) if isinstance(schema, Schema) and schema.relations and len(x) else {}
    if not unmet or not np.logical_or.reduce(list(unmet.values())).all():
        return
    told = "; ".join(f"{text!r} fails on {mask.sum()}" for text, mask in unmet.items())
    raise SchemaError(
        f"not one of {len(x)} rows satisfies the schema's relations: {told}",
        fix="correct the relations (they may contradict each other), or the data",
    )


def loosened(x: Array, schema: Schema) -> tuple[str, ...]:
    """What some rows break of a table's schema as they came, a sentence each: there it binds them less."""
    if not schema.columns:
        return ()
    said, n = [], len(x)
    for at, column in enumerate(schema.columns):
        if column.movable and (count := int(((x[:, at] < schema.lows[at]) | (x[:, at] > schema.highs[at])).sum())):
            ends = f"[{schema.lows[at]:g}, {schema.highs[at]:g}]"
            said.append(
                f"{count} of {n} rows lie outside {column.name} {ends} as they came: their own value is the limit"
            )
    for text, mask in schema.unmet(x).items():
        said.append(f"{mask.sum()} of {n} rows break {text!r} as they came: it binds them only as far as they keep it")
    return tuple(said)


def _asked(target: Target, x: Array) -> np.ndarray[Any, Any]:
    """The scores as an array; a crash is told with the model's own words and the first row that causes it."""
    try:
        return _numpy(target.scores(x))
    except TemperError:
        raise
    except (Exception, SystemExit) as crash:
        row, cause = _culprit(target, x, crash)
        raise ContractError(f"the model failed {row}: {type(cause).__name__}: {cause}", fix=_mended(x)) from crash


def _mended(x: Array) -> str:
    """What may help where the model fails on its first rows."""
    if len(x.shape) != 4:
        return "call the model on this row by hand; the columns must be those it was fitted on, in order"
    shape = tuple(int(size) for size in x.shape[1:])
    if shape[-1] in (1, 3, 4) and shape[0] not in (1, 3, 4):
        return f"the images came as {shape}, channels last; for channels first give np.moveaxis(x, -1, 1)"
    if shape[0] in (1, 3, 4) and shape[-1] not in (1, 3, 4):
        return f"the images came as {shape}, channels first; for channels last give np.moveaxis(x, 1, -1)"
    return f"call the model on this image by hand: it came as {shape}"


def _culprit(target: Target, x: Array, crash: BaseException) -> tuple[str, BaseException]:
    """Which row alone makes the model fail, or the whole batch when each row alone passes."""
    for row in range(len(x)):
        try:
            target.scores(x[row : row + 1])
        except (Exception, SystemExit) as alone:
            return f"on row {row}", alone
    return f"on a batch of {len(x)} rows", crash


def _refuse_changed(before: Array, after: Array) -> None:
    old, new = _numpy(before), _numpy(after)
    if old.dtype.kind == "O":  # texts: no NaN among them
        if not np.array_equal(old, new):
            raise ContractError("the model changed the texts it was given", fix="let it work on a copy: list(x)")
    elif not np.array_equal(old, new, equal_nan=True):
        at = tuple(int(i) for i in np.argwhere(~((old == new) | (np.isnan(old) & np.isnan(new))))[0])
        raise ContractError(
            f"the model changed its input (row {at[0]}, position {at[1:]})", fix="let it work on a copy: x = x.copy()"
        )


def _refuse_shape(target: Target, scores: np.ndarray[Any, Any], n: int) -> None:
    single = target.kind in (ScoreKind.MARGIN, ScoreKind.VALUE)
    wanted = (n, 1 if single else target.classes)
    if scores.shape != wanted:
        raise ContractError(
            f"the model gave scores {scores.shape} for {n} rows, {target.kind.value} are {wanted}",
            fix="return one row of scores per row, one column per class",
        )


def _refuse_infinite(scores: np.ndarray[Any, Any], x: Array) -> None:
    bad = ~np.isfinite(scores).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        gaps = " (the row has missing values)" if np.isnan(_numpy(x[row])).any() else ""
        raise ContractError(
            f"the model answered row {row} with {scores[row].tolist()}{gaps}, which is not finite",
            fix="impute missing values in the model's pipeline, or drop such rows",
        )


def _refuse_values(target: Target, scores: np.ndarray[Any, Any], x: Array) -> None:
    if target.kind is ScoreKind.PROBABILITIES:
        _refuse_shares(scores)
    elif target.kind is ScoreKind.LOGITS and scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1.0, atol=_SUM):
        raise ContractError(
            "the model is declared to give logits and its rows sum to one", fix="declare kind=ScoreKind.PROBABILITIES"
        )
    if target.kind is not ScoreKind.VALUE:
        _refuse_labels(target, scores, x)


def _refuse_shares(scores: np.ndarray[Any, Any]) -> None:
    if scores.min() < -_SUM or scores.max() > 1 + _SUM:
        row = int(np.argmax((scores < -_SUM).any(axis=1) | (scores > 1 + _SUM).any(axis=1)))
        raise ContractError(
            f"row {row} has the scores {scores[row].tolist()}, which are no probabilities",
            fix="declare kind=ScoreKind.LOGITS, or apply the softmax",
        )
    sums = scores.sum(axis=1)
    if (np.abs(sums - 1.0) > _SUM).any():
        row = int(np.argmax(np.abs(sums - 1.0)))
        raise ContractError(
            f"the probabilities of row {row} sum to {sums[row]:.4g}",
            fix="divide by the sum, or declare kind=ScoreKind.LOGITS for scores that need not sum to one",
        )


def _refuse_labels(target: Target, scores: np.ndarray[Any, Any], x: Array) -> None:
    """Scores that are all exactly 0 or 1 are decisions: an attack would take them for certainty."""
    if Access.SCORES not in target.access or target.name in _CERTAIN or not _hard(scores):
        return
    if len(x) > len(scores) and not _hard(_asked(target, _copied(x[len(scores) : len(scores) + _WIDER]))):
        return
    raise ContractError(
        f"every score of {min(len(x), _ROWS + _WIDER)} rows is exactly 0 or 1: these are labels, not scores",
        fix="return predict_proba instead of predict, or open the model with labels_only=True",
    )


def _hard(scores: np.ndarray[Any, Any]) -> bool:
    return bool(np.isin(scores, (0.0, 1.0)).all())


def _refuse_random(target: Target, scores: np.ndarray[Any, Any], x: Array) -> None:
    again = _asked(target, _copied(x))
    if not np.allclose(again, scores, rtol=1e-5, atol=1e-7):
        row = int(np.argmax(np.abs(again - scores).max(axis=1)))
        raise ContractError(
            f"the model answered row {row} with {_shown(scores[row])} and then with {_shown(again[row])}",
            fix="fix its seed and switch off dropout, or declare stochastic=True",
        )


def _refuse_company(target: Target, scores: np.ndarray[Any, Any], x: Array) -> None:
    """A row's answer must not depend on which rows are asked with it."""
    for row in range(min(len(x), _SINGLES)):
        alone = _asked(target, _copied(x[row : row + 1]))
        if not np.allclose(alone[0], scores[row], rtol=1e-3, atol=1e-4):
            raise ContractError(
                f"the model answers row {row} with {_shown(scores[row])} among others and {_shown(alone[0])} alone",
                fix="take statistics of the batch (scaling, ranks, batch norm in training mode) out of prediction",
            )


def _copied(x: Array) -> Array:
    return x.copy() if isinstance(x, np.ndarray) else x.clone()


def _numpy(values: Array) -> np.ndarray[Any, Any]:
    return values if isinstance(values, np.ndarray) else np.asarray(values.detach().cpu().numpy())


def _shown(row: np.ndarray[Any, Any]) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in row[:6]) + (", ...]" if len(row) > 6 else "]")
