"""Decisions and margins over scores, for any array namespace and every kind of score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.target import ScoreKind


def decide(scores: Array, kind: ScoreKind, threshold: float | None = None) -> Array:
    """Class numbers (n,) int64. `threshold` is on the score of class 1: a probability, or the margin itself.

    >>> decide(np.array([[0.6, 0.4]]), ScoreKind.PROBABILITIES, 0.3)
    array([1])
    """
    if kind is ScoreKind.VALUE:
        raise TemperError("a regression target has values, not decisions", fix="judge the shift of the value instead")
    if kind is ScoreKind.MARGIN or (scores.shape[1] == 2 and threshold is not None):
        flagged = _edge(scores, kind, threshold) >= 0
        return flagged.astype(np.int64) if isinstance(flagged, np.ndarray) else flagged.long()
    return scores.argmax(1)


def flagged_score(scores: Array, kind: ScoreKind) -> Array:
    """The score (n,) of class 1 for binary targets, the value for VALUE, else the largest probability."""
    if kind in (ScoreKind.MARGIN, ScoreKind.VALUE):
        return scores[:, 0]
    if scores.shape[1] == 2:
        return scores[:, 1] if kind is ScoreKind.PROBABILITIES else _sigmoid(scores[:, 1] - scores[:, 0])
    return scores.max(1) if isinstance(scores, np.ndarray) else scores.amax(1)


def margin(
    scores: Array,
    y: Array,
    kind: ScoreKind,
    threshold: float | None = None,
    goal: str | int = "misclassify",
    clean: Array | None = None,
    tolerance: float = 0.0,
) -> Array:
    """How far (n,) each row still is from success: positive while judged as `y` (or not yet as the goal class).

    A VALUE is judged by its shift from `clean`: the margin is what of the `tolerance` is left.

    >>> margin(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]), ScoreKind.PROBABILITIES, 0.5).round(2)
    array([ 0.4, -0.3])
    """
    if kind is ScoreKind.VALUE:
        if clean is None:
            raise TemperError("the shift of a regression target is measured from its clean values, which are absent")
        return tolerance - abs(scores[:, 0] - clean[:, 0])
    if kind is ScoreKind.MARGIN or (scores.shape[1] == 2 and threshold is not None):
        sign = 2 * y - 1 if goal == "misclassify" else y * 0 + (1 - 2 * int(goal))
        return sign * _edge(scores, kind, threshold)
    wanted = y if goal == "misclassify" else y * 0 + int(goal)
    own = _pick(scores, wanted)
    best = _best_other(scores, wanted)
    return own - best if goal == "misclassify" else best - own


def _edge(scores: Array, kind: ScoreKind, threshold: float | None) -> Array:
    """Signed distance to the operating threshold, zero or more where class 1 is decided."""
    if kind is ScoreKind.MARGIN:
        return scores[:, 0] - (threshold or 0.0)
    level = 0.5 if threshold is None else threshold
    if kind is ScoreKind.LOGITS:
        return scores[:, 1] - scores[:, 0] - math.log(level / (1 - level))
    return scores[:, 1] - level


def _pick(scores: Array, columns: Array) -> Array:
    if isinstance(scores, np.ndarray):
        return np.take_along_axis(scores, columns[:, None], axis=1)[:, 0]
    return scores.gather(1, columns[:, None])[:, 0]


def _best_other(scores: Array, columns: Array) -> Array:
    if isinstance(scores, np.ndarray):
        rest = scores.astype(float, copy=True)
        np.put_along_axis(rest, columns[:, None], -np.inf, axis=1)
        return rest.max(1)
    return scores.scatter(1, columns[:, None], -math.inf).amax(1)


def _sigmoid(z: Array) -> Any:
    if isinstance(z, np.ndarray):
        return 1.0 / (1.0 + np.exp(-np.clip(z, -700, 700)))
    return z.sigmoid()
