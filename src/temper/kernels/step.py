"""Steps inside balls and boxes, for any array namespace: steepest ascent, random starts, hyperplanes, sparse moves.

Rows are on axis 0. No row's result depends on the rows beside it: loops that stop early freeze every row by itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.kernels.lp import distance

_ROUNDS, _CLOSE = 60, 1e-4
_FAINT = 1e-12
_FAR = 1e15  # stands for an open side of the box: infinity times zero is not a number


def steepest(slope: Array, norm: str, share: Any = 0.01) -> Array:
    """The step of unit norm along which a linear function rises most (l1: the signs of the largest `share`).

    Source for l1: Tramèr & Boneh, "Adversarial training and robustness for multiple perturbations", 2019.

    >>> import numpy as np
    >>> steepest(np.array([[3.0, -4.0]]), "l2").round(6).tolist()
    [[0.6, -0.8]]
    """
    xp = _namespace(slope)
    if norm == "linf":
        return np.sign(slope) if isinstance(slope, np.ndarray) else slope.sign()  # xp.sign looks for NaN first
    if norm == "l2":
        # The largest entry first: squares of small gradients underflow in float32.
        scaled = slope / (wide(distance(slope, slope * 0, "linf"), slope) + 1e-30)
        return scaled / (wide(distance(scaled, scaled * 0, "l2"), slope) + 1e-12)
    chosen = xp.sign(xp.where(largest(slope, share), slope, 0.0))
    return chosen / (wide(distance(chosen, chosen * 0, "l1"), slope) + 1e-10)


def largest(values: Array, share: Any) -> Array:
    """Mask of the entries that are, by size, among the largest `share` (one number or one per row) of their row."""
    xp = _namespace(values)
    size = xp.abs(xp.reshape(values, (values.shape[0], -1)))
    count = size.shape[1]
    place = xp.astype((1.0 - xp.zeros_like(size[:, 0]) - share) * count, xp.int64)
    place = xp.clip(place, 0, count - 1)
    level = xp.take_along_axis(xp.sort(size, axis=1), place[:, None], axis=1)
    return xp.reshape(size >= level, values.shape)


def in_ball(rng: Draws, rows: Any, step: int, like: Array, norm: str) -> Array:
    """A uniform step from the unit ball per row, shaped and typed as `like` (n, ...)."""
    xp = _namespace(like)
    shape = tuple(like.shape[1:])
    if norm == "linf":
        return xp.astype(rng.uniform(rows, step, shape, -1.0, 1.0), like.dtype)
    if norm == "l2":
        far = rng.child("length").uniform(rows, step) ** (1.0 / math.prod(shape))
        return wide(xp.astype(far, like.dtype), like) * on_sphere(rng, rows, step, like, "l2")
    unit = rng.uniform(rows, step, (2, math.prod(shape) + 1))
    spent = -xp.log1p(-unit[:, 0])
    move = xp.sign(unit[:, 1] - 0.5) * spent / xp.sum(spent, axis=1, keepdims=True)
    return xp.astype(xp.reshape(move[:, :-1], like.shape), like.dtype)


def on_sphere(rng: Draws, rows: Any, step: int, like: Array, norm: str) -> Array:
    """A random step of unit length in linf (uniform numbers over their largest) or l2 (a uniform direction)."""
    xp = _namespace(like)
    shape = tuple(like.shape[1:])
    draw = rng.uniform(rows, step, shape, -1.0, 1.0) if norm == "linf" else rng.normal(rows, step, shape)
    length = distance(draw, draw * 0, norm)
    return xp.astype(draw / (wide(length, draw) + 1e-12), like.dtype)


def within(x: Array, center: Array, radius: Any, norm: str, low: Any, high: Any) -> Array:
    """Into the ball and the box: the nearest point for linf and l1; for l2 shrunk and then clipped."""
    from temper.kernels.lp import project_l2, project_linf

    if norm == "l1":
        return center + sparse_move(x - center, radius, center - low, high - center)
    nearer = project_linf(x, center, radius) if norm == "linf" else project_l2(x, center, radius)
    return nearer.clip(low, high)


def sparse_move(move: Array, radius: Any, below: Array, above: Array) -> Array:
    """The nearest move (in l2) of at most this l1 length that goes no further than `below` down and `above` up.

    Source: Croce & Hein, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", 2021.

    >>> import numpy as np
    >>> room = np.ones((1, 3))
    >>> sparse_move(np.array([[3.0, -0.5, 0.1]]), 1.2, room, room).round(3).tolist()
    [[1.0, -0.2, 0.0]]
    """
    xp = _namespace(move)
    n = move.shape[0]
    size = xp.reshape(xp.abs(move), (n, -1))
    room = xp.reshape(xp.clip(xp.where(move > 0, above, below), 0.0, _FAR), (n, -1))
    radius = xp.zeros_like(size[:, :1]) + radius
    # Each entry gives up nothing until the shift passes size - room, and is zero once it passes its size.
    marks = xp.concat([size, xp.clip(size - room, 0.0, None)], axis=1)
    order = xp.argsort(marks, axis=1, descending=True)
    marks = xp.take_along_axis(marks, order, axis=1)
    turn = xp.where(order < size.shape[1], xp.ones_like(marks), -xp.ones_like(marks))
    count, total = xp.cumulative_sum(turn, axis=1), xp.cumulative_sum(turn * marks, axis=1)
    last = xp.sum(xp.astype(total - count * marks <= radius, xp.int64), axis=1, keepdims=True) - 1
    last = xp.clip(last, 0, None)
    count, total = xp.take_along_axis(count, last, axis=1), xp.take_along_axis(total, last, axis=1)
    shift = xp.clip((total - radius) / xp.clip(count, 1.0, None), 0.0, None)
    kept = xp.minimum(xp.clip(size - shift, 0.0, None), room)
    length = xp.sum(kept, axis=1, keepdims=True)
    kept = kept * xp.where(length > radius, radius / xp.where(length > 0, length, 1.0), xp.ones_like(length))
    return xp.sign(move) * xp.reshape(kept, move.shape)


def to_plane(x: Array, slope: Array, value: Array, low: Any, high: Any, norm: str) -> Array:
    """The shortest move inside the box that brings `value + slope . move` to zero, or as near as the box allows.

    Source: Croce & Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", 2020.

    >>> import numpy as np
    >>> to_plane(np.array([[0.5, 0.9]]), np.array([[1.0, 1.0]]), np.array([-0.5]), 0.0, 1.0, "linf").round(3).tolist()
    [[0.4, 0.1]]
    """
    xp = _namespace(x)
    n = x.shape[0]
    way = xp.sign(slope) * wide(xp.where(value < 0, xp.ones_like(value), -xp.ones_like(value)), x)
    room = xp.clip(xp.where(way > 0, high - x, x - low), 0.0, _FAR)
    size, room = (xp.reshape(part, (n, -1)) for part in (xp.abs(slope), room))
    gap = xp.abs(value)[:, None]
    # What is this faint moves nothing inside a box, and dividing by it overflows.
    size = xp.where(size > _FAINT * xp.maximum(gap, xp.max(size, axis=1, keepdims=True)), size, 0.0)
    if norm == "l1":
        amount = _greedy(size, room, gap)
    elif norm == "linf":
        amount = xp.minimum(_dose(size, room, gap), room)
    else:
        limit = xp.where(size > 0, room / xp.where(size > 0, size, 1.0), 0.0)
        amount = xp.minimum(_dose(size * size, limit, gap) * size, room)
    return way * xp.reshape(amount, x.shape)


def best_corner(slope: Array, radius: Any, below: Array, above: Array) -> Array:
    """The move of at most this l1 length inside the box along which a linear function rises most."""
    xp = _namespace(slope)
    n = slope.shape[0]
    room = xp.clip(xp.where(slope > 0, above, below), 0.0, _FAR)
    order = xp.argsort(xp.reshape(xp.abs(slope), (n, -1)), axis=1, descending=True)
    amount = _filled(xp.reshape(room, (n, -1)), order, radius, 1.0)
    return xp.sign(slope) * xp.reshape(amount, slope.shape)


def wide(values: Array, like: Array) -> Array:
    """One value per row, shaped so that it broadcasts against `like`."""
    return values.reshape((values.shape[0],) + (1,) * (len(like.shape) - 1))


def _dose(gain: Array, limit: Array, gap: Array) -> Array:
    """The smallest dose (n, 1) with sum(gain * min(dose, limit)) = gap; the largest limit where that is too little.

    The sum is concave in the dose, so Newton's method from zero rises to it and never passes it.
    """
    xp = _namespace(gain)
    dose = xp.zeros_like(gap)
    for _ in range(_ROUNDS):
        rest = xp.sum(xp.where(limit > dose, gain, 0.0), axis=1, keepdims=True)
        short = gap - xp.sum(gain * xp.minimum(dose, limit), axis=1, keepdims=True)
        go = (short > _CLOSE * gap) & (rest > 0)
        if not xp.any(go):
            break
        dose = xp.where(go, dose + short / xp.where(go, rest, 1.0), dose)
    return dose


def _greedy(size: Array, room: Array, gap: Array) -> Array:
    """Amounts per entry, the steepest entries first, each as far as its room, until the gap is closed."""
    xp = _namespace(size)
    order = xp.argsort(size, axis=1, descending=True)
    return _filled(room, order, gap, size)


def _filled(room: Array, order: Array, need: Array, price: Any) -> Array:
    """Fill entries in this order up to their room until sum(price * amount) is `need`."""
    xp = _namespace(room)
    ordered = xp.take_along_axis(room, order, axis=1)
    unit = xp.take_along_axis(xp.zeros_like(room) + price, order, axis=1)
    spent = xp.cumulative_sum(ordered * unit, axis=1)
    left = xp.clip(need - (spent - ordered * unit), 0.0, None)
    amount = xp.minimum(ordered, xp.where(unit > 0, left / xp.where(unit > 0, unit, 1.0), 0.0))
    return xp.take_along_axis(amount, xp.argsort(order, axis=1), axis=1)


def _namespace(x: Array) -> Any:
    from array_api_compat import array_namespace

    return array_namespace(x)
