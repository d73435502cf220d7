"""What an attacker can reach at most, column by column: a box that holds every point a Schema and a budget admit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.expression import Node, parse
from temper.core.schema import TOLERANCE, Mutability, Schema

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Span = tuple[Floats, Floats]
SLACK = 1e-9  # what the oracle grants over a radius, beside the rounding of single precision
_SUMS = {"l1": 1, "l2": 2, "l0": 3, "cost": 4}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reach:
    """Rows (n, d): values in [low, high] where `valued`, missing where `missing`; `sums` of moves with their limits.

    A superset of what is admissible: derived columns get the span of their formula, relations and one-hot groups are
    left out, and a radius ends where the oracle's rounding does. `single`: the rows came in single precision.
    """

    x0: Floats
    low: Floats
    high: Floats
    valued: Bools
    missing: Bools
    sums: tuple[tuple[int, float], ...]
    scale: Floats
    price: Floats
    flat: Bools
    counted: Bools
    whole: Bools
    single: bool


def reach(schema: Schema, x0: Any, norm: str, radius: float | None, cost: float | None = None) -> Reach:
    """The box around every row of `x0` (n, ...) within a radius in the columns' scales, a cost, or both."""
    exact = not str(getattr(x0, "dtype", "")).endswith("float32")
    rows = np.asarray(x0, dtype=np.float64).reshape(len(x0), -1)
    d = rows.shape[1]
    table = bool(schema.columns)
    scale, price = (schema.scales, schema.prices) if table else (np.ones(d), np.ones(d))
    flat = schema.categorical if table else np.zeros(d, dtype=bool)
    derived = np.array([c.attacker is Mutability.DERIVED for c in schema.columns] or [False] * d)
    whole = np.array([c.discrete for c in schema.columns] or [False] * d) & ~derived
    limit = np.inf if radius is None else radius * (1 + SLACK) + granted(x0, norm)
    step = _step(norm, limit, np.where(derived, 0.0, price))
    if cost is not None:
        step = np.minimum(step, _step("cost", cost * (1 + SLACK) + SLACK, np.where(derived, 0.0, price)))
    low, high, valued, missing = _own(schema, rows, np.asarray(scale, dtype=np.float64), flat, step)
    if derived.any():
        _derive(schema, rows, low, high, valued, missing)
    low, high = np.where(whole, np.ceil(low), low), np.where(whole, np.floor(high), high)
    odd = whole & (rows != np.round(rows)) & ~np.isnan(rows)
    sums = [(_SUMS[norm], limit)] if norm in _SUMS and radius is not None else []
    if cost is not None:
        sums.append((_SUMS["cost"], cost * (1 + SLACK) + SLACK))
    return Reach(
        x0=rows,
        low=np.where(odd, np.minimum(low, rows), low),
        high=np.where(odd, np.maximum(high, rows), high),
        valued=valued,
        missing=missing,
        sums=tuple((kind, top * top if kind == _SUMS["l2"] else top) for kind, top in sums),
        scale=np.asarray(scale, dtype=np.float64),
        price=np.asarray(price, dtype=np.float64),
        flat=np.asarray(flat, dtype=bool),
        counted=~derived,
        whole=whole & ~odd,
        single=not exact,
    )


def _step(norm: str, limit: float, price: Floats) -> Floats:
    """How far, in its scale, each column can move if no other does."""
    if norm == "cost":
        reached: Floats = np.divide(limit, price, out=np.full(len(price), np.inf), where=price > 0)
        return reached
    return np.full(len(price), limit if norm != "l0" else np.inf if limit >= 1.0 else 0.0)


def _own(schema: Schema, x0: Floats, scale: Floats, flat: Bools, step: Floats) -> tuple[Floats, Floats, Bools, Bools]:
    """Range, direction, mutability and the longest step, with the tolerance that the Schema grants."""
    gone = np.isnan(x0)
    if not schema.columns:
        low, high = np.maximum(schema.low, x0 - step), np.minimum(schema.high, x0 + step)
        return low, high, ~gone, gone
    ends = schema.bounds(x0)
    tolerance = np.where(np.array([c.discrete for c in schema.columns]), 0.0, TOLERANCE * scale)
    with np.errstate(invalid="ignore"):
        move = np.where(flat, np.where(step >= 1.0, np.inf, 0.0), step * scale)
        low = np.maximum(ends[0] - tolerance, x0 - move)
        high = np.minimum(ends[1] + tolerance, x0 + move)
    # A missing value that is set may be anything; the Schema compares with the clean value, which is no number.
    movable = np.array([c.movable for c in schema.columns]) & (step >= 1.0)
    erasable = np.array([c.missing for c in schema.columns]) & movable
    return np.where(gone, -np.inf, low), np.where(gone, np.inf, high), ~gone | movable, gone | erasable


def _derive(schema: Schema, x0: Floats, low: Floats, high: Floats, valued: Bools, missing: Bools) -> None:
    """Put the span of every derived column into the box, inputs first."""
    waiting = {c.name: parse(c.formula) for c in schema.columns if c.formula}
    while waiting:
        name = next(name for name, formula in waiting.items() if not formula.names & set(waiting))
        formula, at = waiting.pop(name), schema.index(name)
        now = {column: (low[:, i], high[:, i]) for i, column in enumerate(schema.names)}
        before = {column: (x0[:, i], x0[:, i]) for i, column in enumerate(schema.names)}
        with np.errstate(all="ignore"):
            first, last = span(formula.root, now, before)
            own = np.broadcast_to(formula.value(_points(schema, x0), _points(schema, x0)), (len(x0),))
            size = 1e-9 + 4 * TOLERANCE * (
                1.0 + np.maximum(np.abs(first), np.abs(last)) + np.abs(own) + np.abs(x0[:, at])
            )
            first, last = x0[:, at] + first - own - size, x0[:, at] + last - own + size
        low[:, at] = np.where(np.isnan(first), -np.inf, np.minimum(first, x0[:, at]))
        high[:, at] = np.where(np.isnan(last), np.inf, np.maximum(last, x0[:, at]))
        gone = np.isnan(x0[:, at])
        low[gone, at], high[gone, at] = -np.inf, np.inf
        valued[:, at], missing[:, at] = ~gone, gone


def _points(schema: Schema, x0: Floats) -> dict[str, Floats]:
    return {name: x0[:, at] for at, name in enumerate(schema.names)}


def granted(x0: Any, norm: str) -> float:
    """What rounding may add to a distance in the oracle's eyes: more where rows come in single precision."""
    if not str(getattr(x0, "dtype", "")).endswith("float32") or not len(x0):
        return SLACK
    width = x0.size // len(x0)
    summed = {"l2": width**0.5, "l1": width, "cost": width}.get(norm, 1)
    return float(max(np.nanmax(np.abs(x0), initial=1.0), 1.0) * summed * 2.0**-23)


# -- interval arithmetic over a formula -----------------------------------------------------------------------------


def span(node: Node, now: dict[str, Span], before: dict[str, Span]) -> Span:
    """The values a formula can take while its columns stay in their spans; never too narrow, NaN where unknown."""
    kind = node[0]
    if kind == "number":
        return np.float64(node[1]), np.float64(node[1])  # type: ignore[return-value]
    if kind in ("column", "was"):
        return (now if kind == "column" else before)[node[1]]
    if kind == "call":
        return _call(node[1], [span(child, now, before) for child in node[2:]])
    return _binary(kind, span(node[1], now, before), span(node[2], now, before))


def _binary(kind: str, a: Span, b: Span) -> Span:
    if kind == "+":
        return a[0] + b[0], a[1] + b[1]
    if kind == "-":
        return a[0] - b[1], a[1] - b[0]
    if kind == "*":
        return _corners([_times(p, q) for p in a for q in b])
    if kind == "/":
        crossing = (b[0] <= 0) & (b[1] >= 0)
        first, last = _corners([p / q for p in a for q in b])
        return np.where(crossing, -np.inf, first), np.where(crossing, np.inf, last)
    unknown = np.isnan(a[0] + a[1] + b[0] + b[1])
    zero = np.zeros(np.broadcast(a[0], b[0]).shape)
    return np.where(unknown, np.nan, zero), np.where(unknown, np.nan, zero + 1.0)


def _times(a: Floats, b: Floats) -> Floats:
    return np.where((a == 0) | (b == 0), 0.0 * (np.isnan(a) | np.isnan(b)), a * b)


def _corners(values: list[Floats]) -> Span:
    return np.minimum.reduce(values), np.maximum.reduce(values)


def _call(name: str, spans: list[Span]) -> Span:
    a = spans[0]
    rising: dict[str, Any] = {"exp": np.exp, "floor": np.floor, "round": np.round}
    if name in rising:
        return rising[name](a[0]), rising[name](a[1])
    if name in ("log", "sqrt"):
        function = np.log if name == "log" else np.sqrt
        return function(np.maximum(a[0], 0.0)), function(np.maximum(a[1], 0.0))
    if name == "abs":
        inside = (a[0] <= 0) & (a[1] >= 0)
        first, last = _corners([np.abs(a[0]), np.abs(a[1])])
        return np.where(inside, 0.0, first), last
    if name == "mod":
        top = np.maximum(np.abs(spans[1][0]), np.abs(spans[1][1])) + 0.0 * (a[0] + a[1])
        return -top, top
    both = np.minimum if name == "min" else np.maximum
    return both(a[0], spans[1][0]), both(a[1], spans[1][1])
