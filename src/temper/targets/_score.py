"""What an adapter makes of a model's raw answer, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.errors import ContractError
from temper.core.target import ScoreKind

Matrix = np.ndarray[Any, Any]


def two_columns(p: Matrix) -> Matrix:
    """Probabilities (n, 2) from those of class 1 (n,)."""
    scores = np.empty((len(p), 2))
    scores[:, 1] = p
    np.subtract(1.0, scores[:, 1], out=scores[:, 0])
    return scores


def one_hot(labels: Matrix, classes: int) -> Matrix:
    """Class numbers (n,) as scores (n, classes): certainty where only a decision is known."""
    return np.eye(classes)[np.asarray(labels).astype(np.int64)]


def softmax(z: Matrix) -> Matrix:
    """Probabilities (n, k) of logits (n, k)."""
    z = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Matrix = z / z.sum(axis=1, keepdims=True)
    return shares


def shaped(raw: Any, kind: ScoreKind, classes: int, n: int, model: str) -> Matrix:
    """The answer as float64 (n, classes), or (n, 1) for MARGIN and VALUE; anything else is a `ContractError`."""
    try:
        scores = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError):
        raise ContractError(
            f"{model} returned {type(raw).__name__} and not numbers", fix="return an array of scores"
        ) from None
    single = scores.shape == (n,) or scores.shape == (n, 1)
    if kind in (ScoreKind.MARGIN, ScoreKind.VALUE):
        if single:
            return scores.reshape(n, 1)
        raise ContractError(
            f"{model} is declared {kind.value} and returned {scores.shape} for {n} rows", fix=f"return ({n}, 1)"
        )
    if single:
        raise ContractError(f"{model} returned {scores.shape}, {kind.value} are ({n}, {classes})", fix=SINGLE)
    if scores.shape != (n, classes):
        fix = f"return ({n}, {classes})"
        if scores.ndim == 2 and len(scores) == n:
            fix += f", or open it with classes={scores.shape[1]}"
        raise ContractError(f"{model} returned {scores.shape} for {n} rows and {classes} classes", fix=fix)
    return scores


SINGLE = (
    "return one column per class, such as np.column_stack([1 - p, p]); or declare kind=ScoreKind.MARGIN (a score that "
    "is positive for class 1), kind=ScoreKind.VALUE (regression), or labels_only=True (class numbers)"
)
