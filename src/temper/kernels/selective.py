"""Mistakes among the rows that are answered, when the least certain ones are not."""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def risks(confidence: Any, wrong: Any, weights: Any) -> tuple[Floats, Floats]:
    """(coverage, risk), each (b, k): for every distinct confidence, most certain first, the share of rows answered from
    there on and the share of mistakes among them. `wrong` (n,), `weights` (b, n).
    """
    rows, lost = _passed(confidence, wrong, weights)
    risk = np.divide(lost, rows, out=np.zeros_like(lost), where=rows > 0)
    return rows / rows[:, -1:], risk


def area(confidence: Any, wrong: Any, weights: Any) -> Floats:
    """Area (b,) under the curve of risk over coverage: the risk among the k surest rows, mean over every k; among rows
    of one confidence, on average over their orders. `weights` (b, n) are whole numbers: how often a row was drawn.

    Source: Geifman, Uziel & El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", 2019 (AURC).

    >>> area([0.9, 0.8], [0, 1], np.ones((1, 2)))
    array([0.25])
    """
    rows, lost = (np.pad(part, ((0, 0), (1, 0))) for part in _passed(confidence, wrong, weights))
    n = int(rows[0, -1])
    harmonic = np.append(0.0, np.cumsum(1.0 / np.arange(1, n + 1)))[rows.astype(np.int64)]
    more, made = np.diff(rows, axis=1), np.diff(lost, axis=1)
    rate = np.divide(made, more, out=np.zeros_like(made), where=more > 0)
    # Within a group the risk after its j-th row is (lost + rate j) / (rows + j): its sum takes harmonic numbers.
    held = (lost[:, :-1] - rate * rows[:, :-1]) * np.diff(harmonic, axis=1)
    return np.asarray((made + held).sum(axis=1) / n)


def best_area(wrong: Any, weights: Any) -> Floats:
    """The area (b,) of an order that has every mistake last.

    >>> best_area([1, 0], np.ones((1, 2)))
    array([0.25])
    """
    mistaken = np.asarray(wrong, dtype=float)
    return area(1.0 - mistaken, mistaken, weights)


def _passed(confidence: Any, wrong: Any, weights: Any) -> tuple[Floats, Floats]:
    """Rows and mistakes (b, k) up to and with each distinct confidence, most certain first."""
    level, member = np.unique(-np.asarray(confidence, dtype=np.float64), return_inverse=True)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(len(level)))
    drawn = np.asarray(weights, dtype=np.float64)[:, order]
    rows = np.add.reduceat(drawn, starts, axis=1)
    lost = np.add.reduceat(drawn * np.asarray(wrong, dtype=np.float64)[order], starts, axis=1)
    return np.cumsum(rows, axis=1), np.cumsum(lost, axis=1)
