"""Moves for searches over a Schema: fit a candidate into its budget, ladders of values worth trying."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws

Rows = np.ndarray[Any, Any]
_BACK = (0.5, 0.25, 0.0)
_SLACK = 1e-9


def fit_budget(
    x: Array, x0: Array, schema: Schema, budget: Budget, priority: Array, within: Array | None = None
) -> Array:
    """Undo or shorten moves, lowest `priority` first, until every row lies in the ball and within its cost.

    `within` (n,) narrows the ball of single rows, in the budget's norm. A numeric move that no longer fits whole is
    shortened, a count to the last whole number that fits; a category, a boolean or a one-hot column is undone.
    """
    if not schema.columns:
        return _fit_box(x, x0, budget)
    for norm, limit in _limits(budget, within).items():
        x = _fit_norm(x, x0, schema, norm, limit, priority)
    return x


def _limits(budget: Budget, within: Array | None) -> dict[str, Any]:
    """What each norm may reach: one number, or one per row (n, 1)."""
    limits: dict[str, Any] = {} if budget.radius is None else {budget.norm: budget.radius}
    if budget.cost is not None:
        limits["cost"] = min(budget.cost, limits.get("cost", np.inf))
    if within is not None:
        limits[budget.norm] = np.minimum(within, limits.get(budget.norm, np.inf))[:, None]
    return limits


def _fit_box(x: Array, x0: Array, budget: Budget) -> Array:
    radius = budget.radius
    if radius is None:
        return x
    delta = x - x0
    if budget.norm == "linf":
        return x0 + delta.clip(-radius, radius)
    if budget.norm in ("l1", "l2"):
        flat = delta.reshape((len(delta), -1))
        size = abs(flat).sum(-1) if budget.norm == "l1" else (flat * flat).sum(-1) ** 0.5
        shrink = (radius / (size + 1e-12)).clip(max=1.0)
        return x0 + delta * shrink.reshape((-1,) + (1,) * (delta.ndim - 1))
    return x


def _fit_norm(x: Array, x0: Array, schema: Schema, norm: str, limit: Any, priority: Array) -> Array:
    if norm == "linf":
        reach = limit * schema.scales
        # To the nearest whole number would be out of the ball half of the time.
        reach = np.where(_whole(schema), np.floor(reach + _SLACK), reach)
        shorter = np.clip(x, x0 - reach, x0 + reach)
        moved = schema.categorical & (x != x0) & (limit < 1.0)
        return np.where(moved, x0, np.where(schema.categorical | np.isnan(x) | np.isnan(x0), x, shorter))
    weight = _weights(x, x0, schema, norm)
    room = limit**2 if norm == "l2" else limit
    order = np.argsort(-priority, axis=1)
    spent = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    before = np.zeros_like(spent)
    np.put_along_axis(before, order, spent - np.take_along_axis(weight, order, axis=1), axis=1)
    left = np.clip(room - before, 0.0, None)
    share = np.divide(left, weight, out=np.ones_like(weight), where=weight > 0).clip(max=1.0)
    if norm == "l2":
        share = np.sqrt(share)
    shortened = np.where(share < 1.0, x0 + (x - x0) * share * (1 - 1e-9), x)
    rigid = schema.categorical | np.array([bool(c.group) for c in schema.columns]) | np.isnan(x) | np.isnan(x0)
    shortened = np.where(_whole(schema) & (share < 1.0), x0 + np.trunc(shortened - x0), shortened)
    return np.where(rigid & (share < 1.0), x0, shortened) if norm != "l0" else np.where(share < 1.0, x0, x)


def _weights(x: Array, x0: Array, schema: Schema, norm: str) -> Array:
    """What each column contributes to the norm."""
    delta = np.abs(schema.moves(x, x0))
    if norm == "cost":
        return delta * schema.prices
    if norm == "l0":
        return (delta != 0).astype(float)
    return delta**2 if norm == "l2" else delta


def reachable(schema: Schema, x0: Array, budget: Budget, reference: Array | None = None) -> tuple[Array, Array]:
    """Finite lower and upper end (n, ...) of every column on its own, within range, direction and budget; counts have
    whole ends.

    A side without a limit of its own reaches 20 spreads of the attacker's `reference` rows (20 scales without any).
    """
    low, high = schema.bounds(x0)
    if not schema.columns:
        radius = budget.radius if budget.norm == "linf" and budget.radius is not None else np.inf
        return np.maximum(low, x0 - radius), np.minimum(high, x0 + radius)
    reach = np.array([_reach(schema, budget, at) for at in range(len(schema.columns))])
    spread = np.nanstd(reference, axis=0) if reference is not None and len(reference) > 1 else schema.scales
    far = np.minimum(reach, 20.0 * np.maximum(spread, 1e-12))
    ends = np.where(np.isfinite(low), np.maximum(low, x0 - reach), x0 - far)
    tops = np.where(np.isfinite(high), np.minimum(high, x0 + reach), x0 + far)
    counted = _whole(schema) & (x0 == np.round(x0))
    ends, tops = np.where(counted, np.ceil(ends - _SLACK), ends), np.where(counted, np.floor(tops + _SLACK), tops)
    return np.where(schema.categorical, low, ends), np.where(schema.categorical, high, tops)


def random_point(
    scene: Scene, rows: Rows, rng: Draws, step: Any, low: Array, high: Array, within: Array | None = None
) -> Array:
    """A uniform admissible point per row: a random share of the columns moves, cut to the budget, repaired."""
    x0 = scene.x[rows]
    shape = x0.shape[1:]
    x = low[rows] + (high[rows] - low[rows]) * rng.uniform(rows, 3 * step, shape)
    share = rng.uniform(rows, 3 * step + 1).reshape((-1,) + (1,) * len(shape))
    order = rng.uniform(rows, 3 * step + 2, shape)
    return repair(np.where(order <= share, x, x0), x0, scene, order, within)


def repair(x: Array, x0: Array, scene: Scene, priority: Array, within: Array | None = None) -> Array:
    """The candidates inside domain and budget, lowest `priority` undone first: what every attack does before it asks.

    Where a relation stays broken, or was mended out of the ball, the columns that relations read go back toward the
    clean row: half of the way, a quarter of what is left, the whole.
    """
    schema, budget = scene.schema, scene.budget
    x = schema.project(fit_budget(schema.settle(x, x0), x0, schema, budget, priority, within), x0)
    if not len(x) or not schema.columns or not len(schema.tied):
        return x
    rows = np.arange(len(x))
    for share in _BACK:
        here, clean, narrow = x[rows], x0[rows], None if within is None else within[rows]
        rows = rows[~(schema.keeps(here, clean) & _inside(here, clean, schema, budget, narrow))]
        if not len(rows):
            break
        x[rows] = _toward(x[rows], x0[rows], schema, share)
    return x


def _toward(x: Array, x0: Array, schema: Schema, share: float) -> Array:
    """The columns that relations read at this share of their way; counts are rounded toward the clean row."""
    way = (x - x0)[:, schema.tied] * share
    discrete = np.array([schema.columns[at].discrete for at in schema.tied])
    x = x.copy()
    x[:, schema.tied] = x0[:, schema.tied] + np.where(discrete, np.trunc(way), way)
    return schema.project(x, x0)


def _inside(x: Array, x0: Array, schema: Schema, budget: Budget, within: Array | None) -> Array:
    """Mask of the rows in the ball and within their cost: a relation can pull a column far away."""
    inside = np.ones(len(x), dtype=bool)
    for norm, limit in _limits(budget, within).items():
        inside &= schema.distance(x, x0, norm) <= np.ravel(limit) * (1 + _SLACK) + _SLACK
    return inside


def _whole(schema: Schema) -> Array:
    return np.array([column.type == "integer" for column in schema.columns])


def ladder(schema: Schema, x0: Array, low: Array, high: Array, reference: Array | None, steps: int) -> dict[int, Array]:
    """Values worth trying per movable column, shaped (n, k): every category, or near and far points of the range; last
    of all nothing, where the column may be left empty.

    First come geometric fractions of the reach on both sides, the whole reach foremost, so that a small budget still
    tries every column; then quantiles of the `reference` rows the attacker holds, or even steps where there are none.
    """
    values: dict[int, Array] = {}
    for at in schema.movable:
        empty = np.full((len(x0), int(schema.columns[at].missing)), np.nan)
        if schema.categorical[at]:
            values[int(at)] = np.column_stack([np.tile(np.arange(schema.highs[at] + 1.0), (len(x0), 1)), empty])
            continue
        start, end, here = low[:, at, None], high[:, at, None], x0[:, at, None]
        near = np.geomspace(1.0, 1.0 / 32, max(steps // 3, 2))
        far = start + (end - start) * np.linspace(0, 1, max(steps // 3, 2))
        if reference is not None and len(reference):
            far = np.clip(np.nanquantile(reference[:, at], np.linspace(0, 1, max(steps // 3, 2))), start, end)
        both = np.stack([here + (end - here) * near, here + (start - here) * near], axis=2).reshape(len(x0), -1)
        values[int(at)] = np.concatenate([both, far, empty], axis=1)
    return values


def _reach(schema: Schema, budget: Budget, at: int) -> float:
    """How far one column can move on its own within the budget (infinite without one)."""
    column, reach = schema.columns[at], np.inf
    if budget.radius is not None and budget.norm != "l0":
        price = schema.prices[at] if budget.norm == "cost" else 1.0
        reach = budget.radius / price * column.scale if price > 0 else np.inf
    if budget.cost is not None and schema.prices[at] > 0:
        reach = min(reach, budget.cost / schema.prices[at] * column.scale)
    return float(reach)
