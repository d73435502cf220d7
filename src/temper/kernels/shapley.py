"""What each feature adds to a score, beside reference rows: Shapley values, exact for trees, sampled for anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb
from typing import Any

import numpy as np

from temper.core.trees import TreeMargin

Floats = np.ndarray[Any, np.dtype[np.float64]]
_CELLS = 4_000_000


def of_trees(margin: TreeMargin, x: Any, references: Any, features: Sequence[Any]) -> Floats:
    """Exact Shapley values (n, len(features)) of an ensemble's margin, mean over the `references` (m, d).

    A feature is a list of columns that move together. A row's values add up to its margin minus the mean margin of the
    references.
    Source: Lundberg et al., "From local explanations to global understanding with explainable AI for trees", 2020
    (interventional form).
    """
    from temper.kernels._jit_shapley import trees

    player = np.zeros(margin.features, dtype=np.int64)
    for at, columns in enumerate(features):
        player[np.asarray(columns)] = at
    x, references = (np.ascontiguousarray(part, dtype=np.float64) for part in (x, references))
    out = np.zeros((len(x), len(features)))
    m = margin
    nodes = (m.feature, m.threshold, m.left, m.right, m.missing_left, m.value, m.root)
    trees(*nodes, player, _shares(len(features)), x, references, out)
    return out / len(references)


def sampled(
    score: Callable[[Any], Any], x: Any, references: Any, features: Sequence[Any], rng: np.random.Generator, rounds: int
) -> Floats:
    """Shapley values (n, len(features)) of `score` (rows to numbers) over `rounds` random orders and their reverses.

    Exact for a score that adds up over the features; adds up to the score minus the references' mean score always.
    Source: Castro, Gómez & Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009; Mitchell et
    al., "Sampling permutations for Shapley value estimation", 2022 (reverses).

    >>> double = lambda rows: rows @ np.array([2.0, 0.0])
    >>> sampled(double, np.ones((1, 2)), np.zeros((1, 2)), [[0], [1]], np.random.default_rng(0), 1)
    array([[2., 0.]])
    """
    x, references = np.asarray(x, dtype=np.float64), np.asarray(references, dtype=np.float64)
    out, count = np.zeros((len(x), len(features))), 0
    for _ in range(rounds):
        order = rng.permutation(len(features))
        for way in (order, order[::-1]):
            out[:, way] += _along(score, x, references, [features[at] for at in way])
            count += 1
    return out / count


def _along(score: Callable[[Any], Any], x: Floats, references: Floats, features: Sequence[Any]) -> Floats:
    """What each feature adds in this order (n, len(features)), mean over the references."""
    n, m, steps = len(x), len(references), len(features) + 1
    at_once = max(1, _CELLS // max(1, m * steps * x.shape[1]))
    found = np.empty((n, len(features)))
    for start in range(0, n, at_once):
        rows = x[start : start + at_once]
        walk = np.tile(references, (steps, len(rows), 1, 1))
        for at, columns in enumerate(features, start=1):
            walk[at:, :, :, columns] = rows[None, :, None, columns]
        scores = np.asarray(score(walk.reshape(-1, x.shape[1]))).reshape(steps, len(rows), m).mean(axis=2)
        found[start : start + at_once] = np.diff(scores, axis=0).T
    return found


def _shares(most: int) -> Floats:
    """[a, c]: the share of orders in which one of a players comes after the other a - 1 and before c others."""
    table = np.zeros((most + 1, most + 1))
    for a in range(1, most + 1):
        for c in range(most + 1 - a):
            table[a, c] = 1 / (a * comb(a + c, a))
    return table
