"""Distances in, and projections onto, balls around a centre, for any array namespace (NumPy, torch on any device).

Rows are on axis 0, whatever the shape behind it; a radius is one number or one per row.
"""

from __future__ import annotations

from typing import Any

from temper.core.data import Array
from temper.core.errors import TemperError


def distance(x: Array, center: Array, norm: str = "linf") -> Array:
    """How far each row of `x` is from its centre, shaped (n,), in linf, l2, l1 or l0.

    >>> import numpy as np
    >>> distance(np.array([[3.0, 4.0]]), np.zeros((1, 2)), "l2")
    array([5.])
    """
    xp = _namespace(x)
    gap = xp.abs(_flat(x - center))
    if norm == "linf":
        return xp.max(gap, axis=1)
    if norm == "l2":
        return xp.sqrt(xp.sum(gap * gap, axis=1))
    if norm == "l1":
        return xp.sum(gap, axis=1)
    if norm == "l0":
        return xp.sum(xp.astype(gap != 0, gap.dtype), axis=1)
    raise TemperError(f"norm {norm!r} has no distance", fix="use linf, l2, l1 or l0")


def project(x: Array, center: Array, radius: Any, norm: str = "linf") -> Array:
    """The nearest point (in l2) of the ball for each row; rows inside are returned unchanged."""
    if norm not in ("linf", "l2", "l1"):
        raise TemperError(f"norm {norm!r} has no projection", fix="use linf, l2 or l1")
    return {"linf": project_linf, "l2": project_l2, "l1": project_l1}[norm](x, center, radius)


def project_linf(x: Array, center: Array, radius: Any) -> Array:
    """Clip every coordinate to within `radius` of the centre.

    >>> import numpy as np
    >>> project_linf(np.array([[3.0, 0.2]]), np.zeros((1, 2)), 0.5)
    array([[0.5, 0.2]])
    """
    xp = _namespace(x)
    size = _per_row(radius, x, xp)
    return xp.minimum(xp.maximum(x, center - size), center + size)


def project_l2(x: Array, center: Array, radius: Any) -> Array:
    """Shrink the step to length `radius` where it is longer.

    >>> import numpy as np
    >>> project_l2(np.array([[3.0, 4.0]]), np.zeros((1, 2)), 1.0)
    array([[0.6, 0.8]])
    """
    xp = _namespace(x)
    size = _per_row(radius, x, xp)
    step = x - center
    length = xp.reshape(distance(x, center, "l2"), size.shape)
    longer = length > size
    safe = xp.where(longer, length, xp.ones_like(length))
    return xp.where(longer, center + step * (size / safe), x)


def project_l1(x: Array, center: Array, radius: Any) -> Array:
    """Shrink coordinates towards the centre by one common amount until their sum is `radius`.

    Source: Duchi, Shalev-Shwartz, Singer & Chandra, "Efficient projections onto the l1-ball", 2008.

    >>> import numpy as np
    >>> project_l1(np.array([[3.0, 1.0]]), np.zeros((1, 2)), 2.0)
    array([[2., 0.]])
    """
    xp = _namespace(x)
    step = _flat(x - center)
    size = xp.reshape(_per_row(radius, x, xp), (-1, 1))
    ordered = xp.sort(xp.abs(step), axis=1, descending=True)
    total = xp.cumulative_sum(ordered, axis=1)
    count = xp.reshape(xp.arange(1, step.shape[1] + 1, dtype=step.dtype, device=step.device), (1, -1))
    # The shift is the largest of (running sum - radius) / k; it is negative exactly where the row is inside.
    shift = xp.max((total - size) / count, axis=1, keepdims=True)
    shrunk = xp.sign(step) * xp.clip(xp.abs(step) - shift, 0, None)
    inside = xp.reshape(shift <= 0, _column(x))
    return xp.where(inside, x, center + xp.reshape(shrunk, x.shape))


def _namespace(x: Array) -> Any:
    from array_api_compat import array_namespace

    return array_namespace(x)


def _flat(x: Array) -> Array:
    return x.reshape((x.shape[0], -1))


def _column(x: Array) -> tuple[int, ...]:
    return (x.shape[0],) + (1,) * (len(x.shape) - 1)


def _per_row(radius: Any, x: Array, xp: Any) -> Array:
    """The radius as an array that broadcasts against x: one value, or one per row."""
    size = xp.asarray(radius, dtype=x.dtype, device=x.device)
    if size.ndim == 0:
        size = xp.broadcast_to(size, (x.shape[0],))
    return xp.reshape(size, _column(x))
