"""How far two models of several classes agree: figures of their table of decisions, and of their rankings."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.judges._pooled import placements

Vector = np.ndarray[Any, Any]


def confusion(victim: Vector, copy: Vector, classes: int) -> Vector:
    """Counts (k, k): the victim's decision down, the copy's across.

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)
    array([[1, 0],
           [1, 1]])
    """
    flat = np.asarray(victim, dtype=np.int64) * classes + np.asarray(copy, dtype=np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape((classes, classes))


def macro_f1(counts: Vector) -> Vector:
    """The mean F1 over the classes that either decides for, of tables (..., k, k).

    >>> float(macro_f1(np.eye(3)))
    1.0
    """
    both = np.diagonal(counts, axis1=-2, axis2=-1).astype(float)
    sides = counts.sum(axis=-1) + counts.sum(axis=-2)
    there = sides > 0
    per_class = np.where(there, 2.0 * both / np.where(there, sides, 1), 0.0)
    return np.asarray(per_class.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1))


def cohen(counts: Vector) -> Vector:
    """Cohen's kappa of tables (..., k, k); NaN where both always decide for the same class.

    >>> float(cohen(np.array([[2, 0], [0, 2]])))
    1.0
    """
    n = counts.sum(axis=(-2, -1)).astype(float)
    same = np.diagonal(counts, axis1=-2, axis2=-1).sum(axis=-1) / n
    chance = (counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1) / (n * n)
    return np.where(chance < 1.0, (same - chance) / np.where(chance < 1.0, 1.0 - chance, 1.0), np.nan)


def mean_auc(y: Vector, shares: Vector) -> float:
    """The mean of one-against-the-rest AUCs over the classes that there are; NaN where there is one alone.

    >>> mean_auc(np.array([0, 1, 2]), np.eye(3))
    1.0
    """
    return float(np.mean(_areas(y, shares)[0])) if len(np.unique(y)) > 1 else float("nan")


def mean_auc_ratio(y: Vector, victim: Vector, copy: Vector, confidence: float = 0.95) -> tuple[float, float, float]:
    """The copy's mean AUC divided by the victim's, with DeLong's interval: every row has its say in every class."""
    from scipy.stats import norm

    ours, mine = _areas(y, copy)
    theirs, his = _areas(y, victim)
    best = float(np.mean(theirs))
    value = float(np.mean(ours)) / best
    moved = (mine - value * his).mean(axis=0) / best
    spread = float(norm.ppf(0.5 + confidence / 2.0)) * float(np.sqrt((moved**2).sum()))
    return value, value - spread, value + spread


def _areas(y: Vector, shares: Vector) -> tuple[Vector, Vector]:
    """Per class that there is its AUC (c,), and what each row moves it by (c, n)."""
    there = [label for label in range(shares.shape[1]) if 0 < np.count_nonzero(y == label) < len(y)]
    areas, moves = np.empty(len(there)), np.zeros((len(there), len(y)))
    for at, label in enumerate(there):
        own = (np.asarray(y) == label).astype(int)
        mine, passed = placements(own, shares[:, label])
        areas[at] = mine.mean()
        moves[at, own == 1] = (mine - mine.mean()) / len(mine)
        moves[at, own == 0] = (passed - passed.mean()) / len(passed)
    return areas, moves
