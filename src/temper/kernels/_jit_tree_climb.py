"""Compiled: searches over whole rows, built from single moves: ascent in a box, the cheapest point, the nearest box."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from temper.kernels._jit_tree_form import (
    CATEGORY,
    COLUMN,
    COST,
    MISSING_ONLY,
    TALLY,
    VALUE_ONLY,
    first_above,
    prune,
)
from temper.kernels._jit_tree_move import begin, chance, nearest, passes, pay, put

FIXED, CHEAPEST, ENOUGH, NEAREST = 0, 1, 2, 3
_SURE = 1e12
_NARROWER = 1e-4
_FIRST_BOX, _WIDER, _WIDENINGS = 1.0 / 1024, 2.5, 40
_FIRST_PRICE, _DEARER, _LADDER = 0.03, 1.7, 14
_HALVINGS, _CLOSE = 12, 0.002
_PASSES = 10
_LONGER = 4  # times the restarts, for a row that nearly crosses over
_HOPELESS = 4.0  # how many times the spread of the tops found is too far to go on


@numba.njit(cache=True)
def narrow(trial: Any, whole: Any, box: float, step: float, size: float) -> None:
    """Cut every column to what stays within `box` (scaled) and alone costs no more than `size`; a change that counts
    whole (a code, a value gone missing) needs a `step` of 1.
    """
    field, power = trial[5], trial[6][1].power
    for q in range(len(field)):
        field[q].low, field[q].high, field[q].missing = whole[q].low, whole[q].high, whole[q].missing
        if not field[q].mobile:
            continue
        a, free = field[q].x0, step >= 1.0 and field[q].weight[1] <= size
        if not free:
            field[q].missing = VALUE_ONLY if a == a else MISSING_ONLY
        if a == a:
            reach = reach_of(field, q, power, box, free, size)
            field[q].low, field[q].high = max(field[q].low, a - reach), min(field[q].high, a + reach)


@numba.njit(cache=True)
def reach_of(field: Any, q: int, power: int, box: float, free: bool, size: float) -> Any:
    """How far column q can go on its own, in its own units."""
    weight = field[q].weight[1]
    if field[q].kind == CATEGORY:
        return np.inf if free else 0.0
    if power == 0:
        return box * field[q].scale if weight <= size else 0.0
    if weight == 0.0 or size == np.inf:
        return box * field[q].scale
    ratio = size / weight
    return min(box, ratio if power == 1 else np.sqrt(ratio)) * field[q].scale


@numba.njit(cache=True)
def cut_down(trial: Any, model: Any) -> None:
    """The part of the model that the row's present range leaves open."""
    nodes, trees, base = model
    prune(nodes, trees, base, trial[5], trial[0], trial[1], trial[2], trial[7][2])


@numba.njit(cache=True)
def scatter(trial: Any, x: Any, share: float) -> None:
    """Put a random share of the columns into random intervals, as far as the costs allow."""
    _, _, tally, cuts, offset, field, costs, _, units = trial
    pay(field, costs, x)
    for q in units[0]:
        if field[q].missing != VALUE_ONLY or chance(tally) >= share:
            continue
        first = first_above(cuts, field[q].low, offset[q], offset[q + 1])
        n = first_above(cuts, field[q].high, first, offset[q + 1]) - first + 1
        put(field, costs, x, q, nearest(field, cuts, q, int(chance(tally) * n), first, n))


@numba.njit(cache=True)
def ascend(trial: Any, x: Any, restarts: int, longer: int, edge: float) -> Any:
    """Raise the margin from the clean row, then from random points of the box; x ends at the highest one seen. It
    ends early where no point can be beyond the edge, and after `restarts` goes on to `longer` times as many only while
    the edge is near for how far apart the tops lie.
    """
    tally, field = trial[2], trial[5]
    top, kept, total, square = -np.inf, x.copy(), 0.0, 0.0
    for restart in range(longer * restarts):
        for q in range(len(field)):
            x[q] = field[q].x0
        if restart > 0:
            scatter(trial, x, 0.2 + 0.6 * chance(tally))
        begin(trial, x)
        passes(trial, x, 0.0, 1.0, edge, _PASSES)
        here = tally[0].margin
        total, square = total + here, square + here * here
        if here > top:
            top = here
            kept[:] = x
        if top > edge or tally[0].trees == 0 or not tally[0].most > edge:
            break
        spread = np.sqrt(max(square / (restart + 1) - (total / (restart + 1)) ** 2, 0.0))
        if restart + 1 >= restarts and edge - top > _HOPELESS * spread:
            break
    x[:] = kept
    return top > edge


@numba.njit(cache=True)
def tidy(trial: Any, x: Any, edge: float) -> None:
    """Move back whatever the margin does not need."""
    tilt(trial, 0)
    begin(trial, x)
    passes(trial, x, 1.0, _SURE, edge, 5)


@numba.njit(cache=True)
def tilt(trial: Any, restart: int) -> None:
    """The guiding weights: the norm's own, or after the first time a random tilt of them."""
    tally, field = trial[2], trial[5]
    for q in range(len(field)):
        turn = 0.0
        if restart > 0:
            turn = 0.5 * np.sqrt(-2.0 * np.log(1.0 - chance(tally))) * np.cos(2.0 * np.pi * chance(tally))
        field[q].weight[0] = field[q].weight[1] * np.exp(turn)


@numba.njit(cache=True)
def descend(trial: Any, x: Any, ceiling: float, restart: int, edge: float) -> Any:
    """From the clean row, carry the point up a ladder of prices for the margin until it is beyond the edge; the ladder
    starts where the whole shortfall is cheap for the ceiling.
    """
    tally, field = trial[2], trial[5]
    for q in range(len(field)):
        x[q] = field[q].x0
    tilt(trial, restart)
    begin(trial, x)
    mu = _FIRST_PRICE * ceiling / max(edge - tally[0].margin, 1e-9)
    if restart > 0:
        mu *= np.exp(0.7 * (2.0 * chance(tally) - 1.0))
    for _ in range(_LADDER):
        passes(trial, x, 1.0, mu, edge, 2)
        if tally[0].margin > edge:
            return True
        mu *= _DEARER
    return False


@numba.njit(cache=True)
def leap(trial: Any, x: Any, edge: float) -> Any:
    """Ascend from a random affordable point: where only columns moved together help, no price finds the way."""
    tally, field = trial[2], trial[5]
    for q in range(len(field)):
        x[q] = field[q].x0
    tilt(trial, 0)
    scatter(trial, x, 0.2 + 0.6 * chance(tally))
    begin(trial, x)
    passes(trial, x, 0.0, 1.0, edge, _PASSES)
    return tally[0].margin > edge


@numba.njit(cache=True)
def gap(field: Any, x: Any) -> Any:
    """The largest scaled move; a change that counts whole is 1."""
    most = 0.0
    for q in range(len(x)):
        a, v = field[q].x0, x[q]
        if field[q].mobile and v != a and (v == v or a == a):
            whole = v != v or a != a or field[q].kind == CATEGORY
            most = max(most, 1.0 if whole else abs(v - a) / field[q].scale)
    return most


@numba.njit(cache=True)
def widen(
    trial: Any, model: Any, whole: Any, x: Any, top: float, step: float, size: float, tries: int, edge: float
) -> Any:
    """Ascend in growing boxes up to `top`; (the last box without success, whether there was one)."""
    box, missed = _FIRST_BOX, 0.0
    for _ in range(_WIDENINGS):
        box = min(box, top)
        narrow(trial, whole, box, max(box, step), size)
        cut_down(trial, model)
        if ascend(trial, x, tries, 1, edge):
            return missed, True
        missed = box
        if box >= top:
            break
        box *= _WIDER
    return missed, False


@numba.njit(cache=True)
def cheapest(trial: Any, model: Any, whole: Any, x: Any, size: float, restarts: int, edge: float, enough: bool) -> Any:
    """The cheapest point found below `size`, in x; infinite where there is none. `enough`: the first one will do."""
    costs = trial[6]
    costs[1].limit = size
    tilt(trial, 0)
    found, kept = np.inf, x.copy()
    if widen(trial, model, whole, x, np.inf, np.inf, size, 1, edge)[1]:
        tidy(trial, x, edge)
        found = costs[1].spent
        kept[:] = x
    for restart in range(restarts):
        ceiling = min(found * (1.0 - _NARROWER), size)
        if ceiling == np.inf or ceiling == 0.0 or (enough and found < np.inf):
            break
        costs[1].limit = ceiling
        narrow(trial, whole, np.inf, np.inf, ceiling)
        cut_down(trial, model)
        if descend(trial, x, ceiling, restart, edge) or leap(trial, x, edge):
            tidy(trial, x, edge)
            found = costs[1].spent
            kept[:] = x
    x[:] = kept
    return found


@numba.njit(cache=True)
def nearest_box(trial: Any, model: Any, whole: Any, x: Any, size: float, restarts: int, edge: float) -> Any:
    """The smallest box round the clean row in which an ascent succeeds, by bisection; infinite where none does."""
    field = trial[5]
    low, hit = widen(trial, model, whole, x, size, 0.0, np.inf, restarts, edge)
    if not hit:
        return np.inf
    high, kept = gap(field, x), x.copy()
    for _ in range(_HALVINGS):
        if high - low <= _CLOSE * high:
            break
        middle = 0.5 * (low + high)
        narrow(trial, whole, middle, middle, np.inf)
        cut_down(trial, model)
        if ascend(trial, x, restarts, 1, edge):
            high = gap(field, x)
            kept[:] = x
        else:
            low = middle
    x[:] = kept
    return high


@numba.njit(cache=True)
def room_for(nodes: Any, offset: Any, deep: int) -> Any:
    """Space that all rows share: interval sums, a stack, where nodes lie in the pruned copy."""
    widest = 0
    for q in range(len(offset) - 1):
        widest = max(widest, offset[q + 1] - offset[q])
    places = np.zeros((2, max(len(nodes), 1)), dtype=np.int32)
    return np.empty(widest + 2), np.empty((deep + 2, 3), dtype=np.int32), places


@numba.njit(cache=True)
def costs_for(powers: Any, limit: float) -> Any:
    """The three costs of a row: the guide and the norm share a power; the schema's money has its limit."""
    costs = np.zeros(3, dtype=COST)
    for which in range(3):
        costs[which].power = powers[which]
        costs[which].limit = np.inf
    costs[2].limit = limit
    return costs


@numba.njit(cache=True)
def search(wood: Any, ground: Any, how: int, restarts: int, edge: float, x: Any, size: Any) -> None:
    """Search for every row; x (n, d) and size (n,) come back with what was found.

    `size` holds the ceiling going in and is infinite coming out where nothing was found. `how`: FIXED, the box as it
    stands; CHEAPEST; ENOUGH, anything below the ceiling; NEAREST, the smallest box.
    """
    fields, seeds, shifts, powers, limit, (columns, start, members) = ground
    (nodes, trees, base), cuts, offset, deep = wood
    pruned, kept, tally = nodes.copy(), trees.copy(), np.zeros(1, dtype=TALLY)
    room, field = room_for(nodes, offset, deep), np.zeros(fields.shape[1], dtype=COLUMN)
    units = (columns, start, members, np.arange(len(columns) + len(start) - 1))
    for r in range(len(x)):
        field[:] = fields[r]
        tally[0].random = seeds[r]
        room[2][:] = 0
        units[3][:] = np.arange(len(units[3]))
        trial = (pruned, kept, tally, cuts, offset, field, costs_for(powers, limit), room, units)
        own = (nodes, trees, base + shifts[r])
        if how == FIXED:
            cut_down(trial, own)
            size[r] = gap(field, x[r]) if ascend(trial, x[r], restarts, _LONGER, edge) else np.inf
        elif how == NEAREST:
            size[r] = nearest_box(trial, own, fields[r], x[r], size[r], restarts, edge)
        else:
            size[r] = cheapest(trial, own, fields[r], x[r], size[r], restarts, edge, how == ENOUGH)


@numba.njit(cache=True)
def settle(wood: Any, ground: Any, thrift: float, mu: Any, edge: float, x: Any, size: Any) -> None:
    """Two passes over the free units of every row from the point x it has reached, at its own price `mu`."""
    fields, seeds, shifts, powers, limit, (columns, start, members) = ground
    (nodes, trees, base), cuts, offset, deep = wood
    kept, tally = trees.copy(), np.zeros(1, dtype=TALLY)
    room, field = room_for(nodes, offset, deep), np.zeros(fields.shape[1], dtype=COLUMN)
    units = (columns, start, members, np.arange(len(columns) + len(start) - 1))
    tally[0].trees = len(trees)
    for r in range(len(x)):
        field[:] = fields[r]
        tally[0].random, tally[0].base = seeds[r], base + shifts[r]
        units[3][:] = np.arange(len(units[3]))
        costs = costs_for(powers, limit)
        costs[1].limit = size[r]
        trial = (nodes, kept, tally, cuts, offset, field, costs, room, units)
        begin(trial, x[r])
        passes(trial, x[r], thrift, mu[r], edge, 2)
