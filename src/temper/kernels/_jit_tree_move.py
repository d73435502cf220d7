"""Compiled: the best value of one column or one-hot group for one row, and passes over all of them.

A `trial` is one row's search: (pruned nodes, kept trees, tally, cuts, offsets, field, costs, room, units), see
`kernels._jit_tree_climb`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from temper.kernels._jit_tree_form import CATEGORY, MISSING_ONLY, NUMBER, VALUE_ONLY, first_above, sweep, walk

_SAME = 1e-9


@numba.njit(cache=True)
def chance(tally: Any) -> Any:
    """The next number in [0, 1) of the row's own stream (SplitMix64)."""
    tally[0].random += np.uint64(0x9E3779B97F4A7C15)
    z = tally[0].random
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True)
def price(field: Any, power: int, which: int, q: int, v: float) -> Any:
    """What column q adds to a cost when it stands at v."""
    a = field[q].x0
    if v == a or (v != v and a != a):
        return 0.0
    weight = field[q].weight[which]
    if power == 0 or v != v or a != a or field[q].kind == CATEGORY:
        return weight
    gap = abs(v - a) / field[q].scale
    return weight * gap if power == 1 else weight * gap * gap


@numba.njit(cache=True)
def pay(field: Any, costs: Any, x: Any) -> None:
    """Take stock of the costs of a point."""
    for which in range(3):
        costs[which].spent = 0.0
        for q in range(len(x)):
            costs[which].spent += price(field, costs[which].power, which, q, x[q])


@numba.njit(cache=True)
def put(field: Any, costs: Any, x: Any, q: int, v: float) -> None:
    """Set one column where that is affordable; the trees are left to `begin`."""
    if v == v and v != x[q] and affordable(field, costs, q, x[q], v):
        for which in range(3):
            power = costs[which].power
            costs[which].spent += price(field, power, which, q, v) - price(field, power, which, q, x[q])
        x[q] = v


@numba.njit(cache=True)
def begin(trial: Any, x: Any) -> None:
    """Take stock of a point: the value of every tree, the margin, the costs."""
    nodes, trees, tally, _, _, field, costs, _, _ = trial
    margin = tally[0].base
    for t in range(tally[0].trees):
        trees[t].part = walk(nodes, trees[t].root, x)
        margin += trees[t].part
    tally[0].margin = margin
    pay(field, costs, x)


@numba.njit(cache=True)
def nearest(field: Any, cuts: Any, q: int, j: int, first: int, n: int) -> Any:
    """The allowed value nearest to the clean one in interval j of column q; NaN where none is allowed."""
    low = cuts[first + j - 1].cut if j > 0 else field[q].low
    high = cuts[first + j].below if j < n - 1 else field[q].high
    if field[q].kind != NUMBER:
        low, high = np.ceil(low), np.floor(high)
    if not low <= high:
        return np.nan
    a = field[q].x0
    return min(max(0.0 if a != a else a, low), high)


@numba.njit(cache=True)
def affordable(field: Any, costs: Any, q: int, here: float, v: float) -> Any:
    """Whether all costs stay within their limits when column q goes from `here` to `v`."""
    for which in range(3):
        if costs[which].limit < np.inf:
            more = price(field, costs[which].power, which, q, v) - price(field, costs[which].power, which, q, here)
            if more > 0.0 and costs[which].spent + more > costs[which].limit:
                return False
    return True


@numba.njit(cache=True)
def place(trial: Any, x: Any, q: int, v: float) -> None:
    """Set one column, bring margin and costs up to date, and mark the columns that share a tree with it."""
    nodes, trees, tally, _, _, field, costs, _, _ = trial
    for which in range(3):
        power = costs[which].power
        costs[which].spent += price(field, power, which, q, v) - price(field, power, which, q, x[q])
    x[q] = v
    bit, met = np.uint64(1) << np.uint64(q & 63), np.uint64(0)
    for t in range(tally[0].trees):
        if trees[t].mask & bit != np.uint64(0):
            met |= trees[t].mask
            fresh = walk(nodes, trees[t].root, x)
            tally[0].margin += fresh - trees[t].part
            trees[t].part = fresh
    for other in range(len(field)):
        if other != q and met & (np.uint64(1) << np.uint64(other & 63)) != np.uint64(0):
            field[other].dirty = 1


@numba.njit(cache=True)
def _missing_margin(trial: Any, x: Any, q: int) -> Any:
    """The margin with column q missing."""
    nodes, trees, tally, _, _, _, _, _, _ = trial
    here, out = x[q], tally[0].base
    x[q] = np.nan
    for t in range(tally[0].trees):
        out += walk(nodes, trees[t].root, x)
    x[q] = here
    return out


@numba.njit(cache=True)
def move_column(trial: Any, x: Any, q: int, thrift: float, mu: float, edge: float) -> Any:
    """Put column q where `thrift` times its cost plus `mu` times the shortfall of the margin is least; True when moved.

    Ties go to the cheaper value.
    """
    nodes, trees, tally, cuts, offset, field, costs, room, _ = trial
    here, missing = x[q], field[q].missing
    if missing == MISSING_ONLY or (field[q].low == field[q].high and missing == VALUE_ONLY):
        return False
    first = first_above(cuts, field[q].low, offset[q], offset[q + 1])
    n = first_above(cuts, field[q].high, first, offset[q + 1]) - first + 1
    if n == 1 and missing == VALUE_ONLY and here == field[q].x0:
        return False
    sums = room[0]
    rest = tally[0].margin - sweep(nodes, trees, tally[0].trees, x, q, first, n, sums, room[1])
    power, paid = costs[0].power, price(field, costs[0].power, 0, q, here)
    best, choice, extra, moved = mu * max(0.0, edge - tally[0].margin), here, 0.0, False
    for j in range(n + 1):
        if j == n and (missing == VALUE_ONLY or here != here):
            break
        margin = rest + sums[j] if j < n else _missing_margin(trial, x, q)
        short = mu * max(0.0, edge - margin)
        if thrift == 0.0 and short > best + _SAME * (1e-3 + best):
            continue
        v = nearest(field, cuts, q, j, first, n) if j < n else np.nan
        if (v != v and j < n) or v == here:
            continue
        more = price(field, power, 0, q, v) - paid
        level = thrift * more + short
        slack = _SAME * (1e-3 + abs(best))
        better = level < best - slack or (level <= best + slack and more < extra - _SAME)
        if better and affordable(field, costs, q, here, v):
            best, choice, extra, moved = level, v, more, True
    if moved:
        place(trial, x, q, choice)
    return moved


@numba.njit(cache=True)
def _hot_fits(field: Any, group: Any, hot: int) -> Any:
    """Whether every member may take its value when `hot` is the hot one; -1 stands for the clean row."""
    for i in range(len(group)):
        v = 1.0 if i == hot else 0.0
        if hot >= 0 and not field[group[i]].low <= v <= field[group[i]].high:
            return False
    return True


@numba.njit(cache=True)
def _set_hot(trial: Any, x: Any, group: Any, hot: int) -> None:
    """Write a group: the member `hot`, or for -1 the clean row."""
    field = trial[5]
    for i in range(len(group)):
        v = field[group[i]].x0 if hot < 0 else (1.0 if i == hot else 0.0)
        if x[group[i]] != v:
            place(trial, x, group[i], v)


@numba.njit(cache=True)
def _hot_now(field: Any, x: Any, group: Any) -> Any:
    """Which member is hot; -1 where the group stands as in the clean row."""
    same, hot = True, -1
    for i in range(len(group)):
        same = same and x[group[i]] == field[group[i]].x0
        hot = i if x[group[i]] == 1.0 else hot
    return -1 if same else hot


@numba.njit(cache=True)
def move_group(trial: Any, x: Any, group: Any, thrift: float, mu: float, edge: float) -> Any:
    """Make the best member of a one-hot group the hot one; True when it moved."""
    _, _, tally, _, _, field, costs, _, _ = trial
    start = choice = _hot_now(field, x, group)
    best = thrift * costs[0].spent + mu * max(0.0, edge - tally[0].margin)
    for hot in range(-1, len(group)):
        if hot == start or not _hot_fits(field, group, hot):
            continue
        _set_hot(trial, x, group, hot)
        level = thrift * costs[0].spent + mu * max(0.0, edge - tally[0].margin)
        fits = True
        for which in range(3):
            fits = fits and costs[which].spent <= costs[which].limit
        if fits and level < best - _SAME * (1e-3 + abs(best)):
            best, choice = level, hot
    _set_hot(trial, x, group, choice)
    return choice != start


@numba.njit(cache=True)
def passes(trial: Any, x: Any, thrift: float, mu: float, edge: float, count: int) -> None:
    """Up to `count` passes over the units in random order, until one changes nothing; without thrift a margin beyond
    the edge ends them at once. A unit is looked at again when a column it shares a tree with has moved.
    """
    _, _, tally, _, _, field, _, _, (columns, start, members, order) = trial
    for q in range(len(field)):
        field[q].dirty = 1
    for _ in range(count):
        moved = False
        for last in range(len(order) - 1, -1, -1):
            other = int(chance(tally) * (last + 1))
            order[last], order[other] = order[other], order[last]
            unit = order[last]
            if unit >= len(columns):
                g = unit - len(columns)
                moved |= move_group(trial, x, members[start[g] : start[g + 1]], thrift, mu, edge)
            elif field[columns[unit]].dirty:
                field[columns[unit]].dirty = 0
                moved |= move_column(trial, x, columns[unit], thrift, mu, edge)
            if thrift == 0.0 and tally[0].margin > edge:
                return
        if not moved:
            return
