"""Tree ensembles as functions: their scores, the margins an attacker works on, the cuts between equal answers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from temper.core.errors import Unsupported
from temper.core.target import ScoreKind
from temper.core.trees import Floats, TreeEnsemble, TreeMargin

Ints = np.ndarray[Any, np.dtype[np.int64]]


def raw(ensemble: TreeEnsemble, x: Any) -> Floats:
    """Raw outputs (n, outputs) of the rows (n, d); a missing value is NaN."""
    from temper.kernels._jit_trees import sums

    x, e = _rows(x), ensemble
    out = np.empty((len(x), e.outputs))
    sums(e.feature, e.threshold, e.left, e.right, e.missing_left, e.value, e.root, e.base, x, out)
    return out


def scores(ensemble: TreeEnsemble, x: Any) -> Floats:
    """The target's scores: (n, 2) of a sigmoid, (n, outputs) of a softmax or the identity."""
    return linked(ensemble, raw(ensemble, x))


def linked(ensemble: TreeEnsemble, z: Floats) -> Floats:
    """The scores of these raw outputs (n, outputs)."""
    if ensemble.link == "sigmoid":
        p = 1.0 / (1.0 + np.exp(-np.clip(z[:, 0], -700, 700)))
        return np.stack([1.0 - p, p], axis=1)
    if ensemble.link == "softmax":
        z = np.exp(z - z.max(axis=1, keepdims=True))
        z /= z.sum(axis=1, keepdims=True)
    return z


def margins(
    ensemble: TreeEnsemble, kind: ScoreKind, y: int, threshold: float | None = None, goal: str | int = "misclassify"
) -> tuple[TreeMargin, ...]:
    """Scalar functions whose sign is success, the way `kernels.loss.decide` decides.

    Two classes: one margin, positive where the decision is not `y` (or is the goal). More: one per other class;
    misclassified where any is positive, judged as the goal where all are (the goal against each other class).
    At exactly zero the decision is: class 1 where a threshold is given or the scores are a MARGIN, else the smaller of
    the two class numbers. So zero is a success for some and not for others: prove with `< 0`, propose with `> 0`.
    The threshold on a probability is moved through the link, so the sign is exact up to the link's rounding.
    """
    if kind is ScoreKind.VALUE:
        raise Unsupported("a regression target has no classes", fix="use value_margins")
    if kind is ScoreKind.MARGIN or len(ensemble.base) <= 2:
        wanted = 1 - y if goal == "misclassify" else int(goal)
        return (_two_class(ensemble, kind, threshold, wanted == 1),)
    own = y if goal == "misclassify" else int(goal)
    others = [other for other in range(ensemble.outputs) if other != own]
    pairs = [(other, own) if goal == "misclassify" else (own, other) for other in others]
    return tuple(_weighted(ensemble, {up: 1.0, down: -1.0}, 0.0) for up, down in pairs)


def value_margins(ensemble: TreeEnsemble, clean: float, tolerance: float) -> tuple[TreeMargin, TreeMargin]:
    """(up, down): positive where the value is more than `tolerance` above, and below, the `clean` one."""
    return _weighted(ensemble, {0: 1.0}, -(clean + tolerance)), _weighted(ensemble, {0: -1.0}, clean - tolerance)


def value(margin: TreeMargin, x: Any) -> Floats:
    """The margin (n,) of the rows (n, d)."""
    from temper.kernels._jit_trees import sums

    x, m = _rows(x), margin
    out, base = np.empty((len(x), 1)), np.array([m.base])
    sums(m.feature, m.threshold, m.left, m.right, m.missing_left, m.value[:, None], m.root, base, x, out)
    return out[:, 0]


def thresholds(trees: TreeEnsemble | TreeMargin) -> tuple[Ints, Floats]:
    """(offsets, cuts): the cuts of column q, ascending and each once, are `cuts[offsets[q]:offsets[q + 1]]`.

    Every tree is constant on `[cut, next cut)`, so the last value below a cut is `np.nextafter(cut, -np.inf)`. A node
    that only asks whether the value is missing has an infinite threshold, which is no cut.
    """
    from temper.kernels._jit_trees import reached

    used = reached(trees.feature, trees.left, trees.right, trees.root)
    used &= (trees.feature >= 0) & np.isfinite(trees.threshold)
    order = np.lexsort((trees.threshold[used], trees.feature[used]))
    at, cut = trees.feature[used][order], trees.threshold[used][order]
    new = np.ones(len(cut), dtype=bool)
    new[1:] = (at[1:] != at[:-1]) | (cut[1:] != cut[:-1])
    offsets = np.searchsorted(at[new], np.arange(trees.features + 1))
    return offsets.astype(np.int64), cut[new] + 0.0


def _rows(x: Any) -> Floats:
    return np.ascontiguousarray(x, dtype=np.float64)


def _two_class(ensemble: TreeEnsemble, kind: ScoreKind, threshold: float | None, one: bool) -> TreeMargin:
    """Positive where class 1 (`one`) or class 0 is decided."""
    sign = 1.0 if one else -1.0
    if kind is ScoreKind.MARGIN:
        return _weighted(ensemble, {0: sign}, -sign * (threshold or 0.0))
    level = 0.5 if threshold is None else threshold
    if ensemble.link == "sigmoid":
        return _weighted(ensemble, {0: sign}, -sign * _logit(level))
    if ensemble.link == "softmax" or kind is ScoreKind.LOGITS:
        return _weighted(ensemble, {1: sign, 0: -sign}, -sign * _logit(level))
    if threshold is None:
        return _weighted(ensemble, {1: sign, 0: -sign}, 0.0)
    return _weighted(ensemble, {1: sign}, -sign * level)


def _logit(level: float) -> float:
    if not 0.0 < level < 1.0:
        return -math.inf if level <= 0.0 else math.inf
    return math.log(level / (1.0 - level))


def _weighted(ensemble: TreeEnsemble, weights: dict[int, float], shift: float) -> TreeMargin:
    """A weighted sum of outputs plus a shift, without the trees that add nothing to it."""
    from temper.kernels._jit_trees import adding

    e = ensemble
    combined = sum(weight * e.value[:, output] for output, weight in weights.items())
    total = np.ascontiguousarray(combined, dtype=np.float64)
    kept = adding(e.feature, e.left, e.right, total, e.root)
    return TreeMargin(
        feature=e.feature,
        threshold=e.threshold,
        left=e.left,
        right=e.right,
        missing_left=e.missing_left,
        value=total,
        root=e.root[kept],
        base=float(sum(weight * e.base[output] for output, weight in weights.items()) + shift),
        features=e.features,
    )
