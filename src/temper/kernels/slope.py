"""Losses that rise as a row nears success, each with its derivative in closed form, for any array namespace.

Every kind of score is first read as logits (n, k), k >= 2: the logarithm of probabilities, a margin beside a zero. An
operating threshold shifts the logit of class 1. One derivative with respect to the scores comes back, so that a target
needs one vector-Jacobian product and nobody outside an adapter needs automatic differentiation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.target import ScoreKind

LOSSES = ("ce", "dlr", "margin")
_TINY = 1e-30  # the smallest probability whose logarithm and inverse float32 still holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What success is: the kind of score, the threshold, "misclassify" or a class to reach, the shift of a VALUE.

    `even`: the cross-entropy counts as its log odds, which rise with it, have the same direction and never run flat
    where float32 rounds a sure probability to one; without it a mean over several draws is that of the cross-entropy.
    """

    kind: ScoreKind
    threshold: float | None = None
    goal: str | int = "misclassify"
    tolerance: float = 0.0
    even: bool = True


def climb(name: str, scores: Array, y: Array, aim: Aim, rival: Array | None = None, clean: Array | None = None) -> Any:
    """The loss (n,) and its derivative with respect to the scores (n, k or 1).

    `y` (n,) are the true classes; `rival` (n,) names the class each row is to be driven to (for VALUE the direction: 0
    up, 1 down); `clean` are the scores a VALUE is to move away from.

    >>> import numpy as np
    >>> loss, pull = climb("margin", np.array([[2.0, 1.0]]), np.array([0]), Aim(kind=ScoreKind.LOGITS))
    >>> loss.tolist(), pull.tolist()
    ([-1.0], [[-1.0, 1.0]])
    """
    if name not in LOSSES:
        raise TemperError(f"unknown loss {name!r}", fix=f"use one of {', '.join(LOSSES)}")
    if aim.kind is ScoreKind.VALUE:
        return _shift(scores, clean, rival, aim.tolerance)
    z = logits(scores, aim.kind, aim.threshold)
    own, other = _pair(z, y, aim, rival)
    if name == "ce":
        driven = aim.goal != "misclassify" or rival is not None
        loss, pull = _entropy(z, other if driven else own, 1.0 if driven else -1.0, aim.even)
    else:
        loss, pull = _gap(z, own, other)
        if name == "dlr" and z.shape[1] > 2:
            untargeted = aim.goal == "misclassify" and rival is None
            loss, pull = _ratio(z, loss, pull, (2,) if untargeted or z.shape[1] == 3 else (2, 3))
    return loss, _lowered(pull, scores, aim.kind)


def logits(scores: Array, kind: ScoreKind, threshold: float | None = None) -> Array:
    """Scores as logits (n, k), k >= 2, with the largest where the decision falls."""
    xp = _namespace(scores)
    if kind is ScoreKind.MARGIN:
        edge = scores - (threshold or 0.0)
        return xp.concat([xp.zeros_like(edge), edge], axis=1)
    z = xp.log(xp.clip(scores, _TINY, None)) if kind is ScoreKind.PROBABILITIES else scores
    if threshold is None or z.shape[1] != 2:
        return z
    level = min(max(threshold, 1e-12), 1 - 1e-12)
    return xp.concat([z[:, :1], z[:, 1:] - math.log(level / (1 - level))], axis=1)


def rivals(scores: Array, y: Array, aim: Aim, count: int) -> Array:
    """The classes to drive each row to, (n, count) or fewer columns, the likeliest of the others first.

    >>> import numpy as np
    >>> rivals(np.array([[0.5, 0.1, 0.4]]), np.array([0]), Aim(kind=ScoreKind.PROBABILITIES), 9).tolist()
    [[2, 1]]
    """
    xp = _namespace(scores)
    if aim.kind is ScoreKind.VALUE:
        return xp.stack([xp.zeros_like(y), xp.ones_like(y)], axis=1)[:, :count]
    if aim.goal != "misclassify":
        return xp.reshape(xp.zeros_like(y) + int(aim.goal), (-1, 1))
    z = logits(scores, aim.kind, aim.threshold)
    order = xp.argsort(xp.where(_hot(y, z), -math.inf, z), axis=1, descending=True)
    return order[:, : min(count, z.shape[1] - 1)]


def _pair(z: Array, y: Array, aim: Aim, rival: Array | None) -> tuple[Array, Array]:
    """The class to be left and the class to win, per row."""
    xp = _namespace(z)
    if aim.goal != "misclassify":
        goal = xp.zeros_like(y) + int(aim.goal)
        return _best_except(z, goal), goal
    return y, _best_except(z, y) if rival is None else rival


def _best_except(z: Array, column: Array) -> Array:
    xp = _namespace(z)
    return xp.argmax(xp.where(_hot(column, z), -math.inf, z), axis=1)


def _gap(z: Array, own: Array, other: Array) -> tuple[Array, Array]:
    """Logit of the other class minus that of the own."""
    xp = _namespace(z)
    here, there = _hot(own, z), _hot(other, z)
    loss = xp.sum(xp.where(there, z, 0.0), axis=1) - xp.sum(xp.where(here, z, 0.0), axis=1)
    return loss, xp.astype(there, z.dtype) - xp.astype(here, z.dtype)


def _ratio(z: Array, gap: Array, pull: Array, lower: tuple[int, ...]) -> tuple[Array, Array]:
    """The gap over that between the largest logit and the mean of some lower ones, so that scaling changes nothing.

    Source: Croce & Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
    attacks", 2020 (difference of logits ratio).
    """
    xp = _namespace(z)
    order = xp.argsort(z, axis=1, descending=True)
    spread = xp.astype(_hot(order[:, 0], z), z.dtype)
    for place in lower:
        spread = spread - xp.astype(_hot(order[:, place], z), z.dtype) / len(lower)
    size = xp.sum(spread * z, axis=1) + 1e-12
    loss = gap / size
    return loss, (pull - loss[:, None] * spread) / size[:, None]


def _entropy(z: Array, column: Array, sign: float, even: bool) -> tuple[Array, Array]:
    """`sign` times the logarithm of this class's probability, or of its odds."""
    xp = _namespace(z)
    at = _hot(column, z)
    rest = xp.where(at, -math.inf, z)
    top = xp.max(rest, axis=1, keepdims=True)
    weight = xp.exp(rest - top)
    total = xp.sum(weight, axis=1, keepdims=True)
    odds = xp.sum(xp.where(at, z, 0.0), axis=1) - (top + xp.log(total))[:, 0]
    pull = sign * (xp.astype(at, z.dtype) - weight / total)
    if even:
        return sign * odds, pull
    # log p = -log(1 + exp(-odds)), and 1 - p by the odds too: neither cancels where p is nearly one.
    small = xp.exp(-xp.abs(odds))
    log_p = xp.where(odds < 0, odds, xp.zeros_like(odds)) - xp.log1p(small)
    missing = xp.where(odds > 0, small, xp.ones_like(small)) / (1.0 + small)
    return sign * log_p, pull * missing[:, None]


def _shift(scores: Array, clean: Array | None, rival: Array | None, tolerance: float) -> tuple[Array, Array]:
    """How far a value has moved, beyond the tolerance: either way, or the way asked for."""
    xp = _namespace(scores)
    if clean is None:
        raise TemperError("a VALUE moves away from its clean score, which is absent", fix="pass clean=")
    gone = scores - clean
    if rival is None:
        way = xp.where(gone < 0, -xp.ones_like(gone), xp.ones_like(gone))
    else:
        way = 1.0 - 2.0 * xp.astype(rival[:, None], scores.dtype)
    return (way * gone)[:, 0] - tolerance, way


def _lowered(pull: Array, scores: Array, kind: ScoreKind) -> Array:
    """The derivative with respect to the scores from that with respect to their logits."""
    if kind is ScoreKind.PROBABILITIES:
        return pull / _namespace(scores).clip(scores, _TINY, None)
    return pull[:, 1:] if kind is ScoreKind.MARGIN else pull


def _hot(column: Array, z: Array) -> Array:
    """Mask (n, k) of one column per row."""
    xp = _namespace(z)
    return xp.reshape(xp.arange(z.shape[1], device=z.device), (1, -1)) == column[:, None]


def _namespace(x: Array) -> Any:
    from array_api_compat import array_namespace

    return array_namespace(x)
