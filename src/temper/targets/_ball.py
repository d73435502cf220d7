"""What an oracle asks about a scene before any attack: rounding at the ball's edge, rows outside the box, repeats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.schema import Schema
from temper.targets._array import picked, to_numpy

Rows = np.ndarray[Any, Any]
SLACK = 1e-9
_EDGE = 1e-6


def rounding(scene: Scene) -> float:
    """What rounding alone may add to a distance: single precision cannot hold the edge of a ball more exactly."""
    if not str(scene.x.dtype).endswith("float32") or not len(scene.x):
        return SLACK
    width = math.prod(scene.x.shape[1:])
    summed = {"l2": width**0.5, "l1": width, "cost": width}.get(scene.budget.norm, 1)
    return float(max(float(abs(scene.x).max()), 1.0) * summed * 2.0**-23)


def outside(scene: Scene) -> Rows:
    """Inputs without columns that lie outside the box, beyond rounding, before anybody has touched them.

    Nothing within the ball of such a row need be admissible, so that its holding would mean nothing.
    """
    schema = scene.schema
    if not isinstance(schema, Schema) or schema.columns or not len(scene.x) or math.isinf(schema.high - schema.low):
        return np.zeros(len(scene.x), dtype=bool)
    slack = _EDGE * (schema.high - schema.low)
    far = (scene.x < schema.low - slack) | (scene.x > schema.high + slack)
    return np.asarray(to_numpy(far.reshape((len(scene.x), -1)).any(1)))


def admitted(schema: Schema, x: Array, x0: Array, rows: Rows, distance: Rows, every: Rows) -> Rows:
    """Which candidates at a finite distance lie in the domain.

    Of a row for which not `every` candidate is wanted the nearest is enough: its others are looked at only where that
    one is refused, and are false otherwise.
    """
    ok, maybe = np.zeros(len(rows), dtype=bool), np.flatnonzero(distance < np.inf)
    nearest = np.full(len(every), np.inf)
    np.minimum.at(nearest, rows[maybe], distance[maybe])
    first = every[rows[maybe]] | (distance[maybe] <= nearest[rows[maybe]])
    won = np.zeros(len(every), dtype=bool)
    for look in (maybe[first], maybe[~first]):
        look = look[~won[rows[look]]]
        if len(look):
            ok[look] = schema.admits(picked(x, look), picked(x0, look))
            won[rows[look[ok[look]]]] = True
    return ok


def occurrence(rows: Rows) -> Rows:
    """How many earlier entries have the same row number."""
    if (rows[1:] > rows[:-1]).all():
        return np.zeros(len(rows), dtype=np.int64)
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    start = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.arange(len(rows)) - np.repeat(start, np.diff(np.r_[start, len(rows)]))
    result = np.empty(len(rows), dtype=np.int64)
    result[order] = rank
    return result


def told(scene: Scene) -> str:
    """Why such a row is not attacked."""
    return f"the row lies outside its declared range [{scene.schema.low:g}, {scene.schema.high:g}]: not attacked"
