"""Compiled: what moves cost inside a box where columns share budgets, and the bound that knows it.

The bound is a Lagrangian relaxation: every point within the budgets scores at most its margin plus `rate` times what it
leaves unspent. The price of a column's move is parted among the trees that want it, so that each tree can look for its
best leaf alone. Sound for any rate and any parting that never charges more than a move costs: a column's values are
gone through outwards from the clean one, and what all trees have been charged up to a value stays within its price.

Source: the dual of the problem over leaves, filled column by column (block-coordinate ascent, as in Globerson &
Jaakkola, "Fixing max-product", 2007); the greedy filling is exact where one column is moved by stumps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from temper.kernels._jit_tree_verify_paths import meets

NEARER = 1.0 - 1e-12  # against rounding: a distance is never overstated
L2, L0, COST = 2, 3, 4  # the kinds of sums; anything else is a plain one
RIGHT, LEFT = 1, 0
_FACTORS, _CLIMBS, _FIRST = (1.0, 1.3, 1 / 1.3, 2.0, 0.5, 1.3, 1 / 1.3, 1.08, 1 / 1.08), 8, 0.1  # the search for a rate
_HEAVY = 9  # steps that bounding one state takes beside its own
_HAIR = 1e-9  # room in which rounding could drop the best leaf itself


class Rule(NamedTuple):
    """What a move costs: up to two sums over the columns, each with its limit."""

    limit: Any
    here: Any  # the clean value's cell, -1 where it is missing
    price: Any  # (sums, cells): what the nearest value of a cell adds, cells of all columns in a row
    gone: Any  # (sums, columns): what a missing value adds
    whole: Any  # columns of whole numbers


@numba.njit(cache=True)
def _move(kind, x0, low, high, here, cell, scale, whole):  # type: ignore[no-untyped-def]
    """How far, in its scale, the nearest value of a cell from `low` to `high` lies from the clean one."""
    edge = low if cell > here else high
    if whole:
        edge = np.ceil(edge) if cell > here else np.ceil(edge) - 1.0
    move = abs(edge - x0) / scale * NEARER
    return move * move if kind == L2 else move


@numba.njit(cache=True)
def priced(forest, box, kinds, limit, x0, here, scale, price, flat, counted, whole):  # type: ignore[no-untyped-def]
    """The rule of one row, with the price of every cell of the box."""
    d, sums = len(x0), len(kinds)
    table, gone = np.zeros((sums, forest.offset[-1])), np.zeros((sums, d))
    for k in range(sums):
        for q in range(d):
            if not counted[q]:
                continue
            weight = price[q] if kinds[k] == COST else 1.0
            gone[k, q] = 0.0 if here[q] < 0 else weight
            start, cuts = forest.offset[q], forest.offset[q] - q
            for cell in range(box[q, 0], box[q, 1] + 1):
                if cell == here[q]:
                    continue
                if here[q] < 0 or flat[q] or kinds[k] == L0:
                    table[k, start + cell] = weight
                    continue
                low = forest.cuts[cuts + cell - 1] if cell > here[q] else 0.0
                high = forest.cuts[cuts + cell] if cell < here[q] else 0.0
                move = _move(kinds[k], x0[q], low, high, here[q], cell, scale[q], whole[q])
                table[k, start + cell] = weight * move
    return Rule(limit, here, table, gone, whole)


@numba.njit(cache=True)
def gap(offset, here, price, gone, q, low, high, missing):  # type: ignore[no-untyped-def]
    """What the nearest value of one column within these limits adds to a sum."""
    least = np.inf
    if low <= high:
        if low <= here[q] <= high:
            return 0.0
        least = price[offset[q] + (low if low > here[q] else high)]
    return min(least, gone[q]) if missing else least


@numba.njit(cache=True)
def affords(offset, most, here, prices, goners, limit, narrows, box, spent, leaf):  # type: ignore[no-untyped-def]
    """Whether the leaf can be reached within what is left of the sums."""
    for k in range(len(spent)):
        total, price, gone = spent[k], prices[k], goners[k]
        for at in range(limit[leaf], limit[leaf + 1]):
            q = narrows[at, 0]
            low, high = max(box[q, 0], narrows[at, 1]), min(box[q, 1], narrows[at, 2])
            now = gap(offset, here, price, gone, q, low, high, box[q, 2] & narrows[at, 3])
            if now > 0.0:
                total += now - gap(offset, here, price, gone, q, box[q, 0], box[q, 1], box[q, 2])
        if total > most[k]:
            return False
    return True


@numba.njit(cache=True)
def spend(forest, rule, box, spent):  # type: ignore[no-untyped-def]
    """Sum up what the box costs at least; whether that is within the limits."""
    offset, here = forest.offset, rule.here
    for k in range(len(spent)):
        total, price, gone = 0.0, rule.price[k], rule.gone[k]
        for q in range(len(box)):
            total += gap(offset, here, price, gone, q, box[q, 0], box[q, 1], box[q, 2])
        spent[k] = total
        if total > rule.limit[k]:
            return False
    return True


class Dual(NamedTuple):
    """What trees are charged for moves. An event is a limit of a leaf that asks one column to move to one side."""

    event: Any  # (events,) limits, by column and side, outwards
    leaf: Any  # (events,) whose limit it is
    side: Any  # (blocks,) RIGHT or LEFT: a block holds the events of one side of a column
    block: Any  # (blocks + 1,) where it begins
    owner: Any  # (leaves,) the tree of every leaf
    mix: Any  # (sums,) what one unit of each sum is worth: all limits together come to 1
    rate: Any  # (levels,) the multiplier
    cap: Any  # (levels,) the bound
    clock: Any  # how many states and blocks were seen; how many blocks have events in this state
    live: Any  # (leaves,) the last state that reaches the leaf
    asks: Any  # (leaves,) the last block that names the leaf
    paid: Any  # (leaves,) what its moves are charged
    now: Any  # (events,) the leaves of the events in this state, block by block
    toll: Any  # (events,) what their moves cost more than the box does
    begin: Any  # (blocks + 1,) where each block begins among them
    fee: Any  # (trees,) charged in this block so far
    top: Any  # (trees,) the best leaf after its charges
    range: Any  # (trees, 2) the leaves of a tree in `order`


@numba.njit(cache=True)
def _sided(forest, here, paths, trees):  # type: ignore[no-untyped-def]
    """The events of all leaves with the number of their side of a column, by this number and by distance."""
    count = paths.limit[paths.tree[trees]]
    event, leaf, key = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    width, found = np.int64(len(forest.whole) + 1), 0
    for owner in range(paths.tree[trees]):
        for at in range(paths.limit[owner], paths.limit[owner + 1]):
            q, low, high = paths.narrows[at, 0], paths.narrows[at, 1], paths.narrows[at, 2]
            if low > high or low <= here[q] <= high:
                continue
            away = RIGHT * width + low if low > here[q] else LEFT * width + width - 1 - high
            event[found], leaf[found], key[found] = at, owner, 2 * q * width + away
            found += 1
    order = np.argsort(key[:found])
    return event[order], leaf[order], key[order] // width


@numba.njit(cache=True)
def dual(forest, rule, paths, trees, levels):  # type: ignore[no-untyped-def]
    """Everything in place, nothing charged; without sums there is nothing to charge for."""
    sums = len(rule.limit)
    trees = trees if sums > 0 else 0
    leaves = paths.tree[trees]
    event, leaf, side = _sided(forest, rule.here, paths, trees)
    first = np.ones(len(event), np.bool_)
    first[1:] = side[1:] != side[:-1]
    block = np.append(np.flatnonzero(first), len(event))
    owner, mix = np.empty(leaves, np.int64), np.zeros(sums)
    for tree in range(trees):
        owner[paths.tree[tree] : paths.tree[tree + 1]] = tree
    for k in range(sums):
        mix[k] = 1.0 / (sums * rule.limit[k]) if 0.0 < rule.limit[k] < np.inf else 0.0
    return Dual(
        event, leaf, side[first] % 2, block, owner, mix, np.zeros(levels), np.full(levels, np.inf),
        np.zeros(3, np.int64), np.zeros(leaves, np.int64), np.zeros(leaves, np.int64), np.zeros(leaves),
        np.zeros(len(event), np.int64), np.zeros(len(event)), np.zeros(len(block), np.int64),
        np.zeros(trees), np.zeros(trees), np.zeros((trees, 2), np.int64),
    )  # fmt: skip


@numba.njit(cache=True)
def _reach(forest, rule, paths, dual, box, spent, span, trees, order):  # type: ignore[no-untyped-def]
    """Mark the leaves in reach of a state."""
    dual.clock[0] += 1
    for slot in range(trees):
        tree = dual.owner[order[span[slot, 0]]]
        dual.range[tree, 0], dual.range[tree, 1] = span[slot, 0], span[slot, 1]
        for at in range(span[slot, 0], span[slot, 1]):
            leaf = order[at]
            if meets(paths.limit, paths.narrows, box, leaf) and affords(
                forest.offset,
                rule.limit,
                rule.here,
                rule.price,
                rule.gone,
                paths.limit,
                paths.narrows,
                box,
                spent,
                leaf,
            ):
                dual.live[leaf] = dual.clock[0]


@numba.njit(cache=True)
def _events(forest, rule, narrows, dual, box):  # type: ignore[no-untyped-def]
    """List the events of the leaves in reach that cost more than the box does."""
    offset, blocks, count = forest.offset, 0, 0
    for b in range(len(dual.side)):
        dual.begin[blocks] = count
        q, right = narrows[dual.event[dual.block[b]], 0], dual.side[b] == RIGHT
        own = 0.0
        for k in range(len(dual.mix)):
            here = gap(offset, rule.here, rule.price[k], rule.gone[k], q, box[q, 0], box[q, 1], box[q, 2])
            own += dual.mix[k] * here
        for i in range(dual.block[b], dual.block[b + 1]):
            at = dual.event[i]
            if dual.live[dual.leaf[i]] != dual.clock[0] or box[q, 2] & narrows[at, 3]:
                continue
            cell = max(box[q, 0], narrows[at, 1]) if right else min(box[q, 1], narrows[at, 2])
            toll = -own
            for k in range(len(dual.mix)):
                toll += dual.mix[k] * rule.price[k, offset[q] + cell]
            if toll > 0.0:
                dual.now[count], dual.toll[count] = dual.leaf[i], toll
                count += 1
        blocks += count > dual.begin[blocks]
    dual.begin[blocks], dual.clock[2] = count, blocks


@numba.njit(cache=True)
def _best(value, dual, order, tree):  # type: ignore[no-untyped-def]
    """The best leaf of a tree after its charges, of those that the present block does not name."""
    best = -np.inf
    for at in range(dual.range[tree, 0], dual.range[tree, 1]):
        leaf = order[at]
        if value[leaf] <= best:
            break
        if dual.live[leaf] == dual.clock[0] and dual.asks[leaf] != dual.clock[1]:
            best = max(best, value[leaf] - dual.paid[leaf])
    return best


@numba.njit(cache=True)
def _join(value, dual, order, start, stop):  # type: ignore[no-untyped-def]
    """Note who is in a block, and the best that its trees can do outside it."""
    dual.clock[1] += 1
    for i in range(start, stop):
        leaf = dual.now[i]
        dual.asks[leaf] = dual.clock[1]
        dual.fee[dual.owner[leaf]] = -1.0
    for i in range(start, stop):
        tree = dual.owner[dual.now[i]]
        if dual.fee[tree] < 0.0:
            dual.fee[tree], dual.top[tree] = 0.0, _best(value, dual, order, tree)


@numba.njit(cache=True)
def _charge(value, dual, start, stop, rate):  # type: ignore[no-untyped-def]
    """Go outwards through a block: a leaf is charged what it gains its tree, as far as the price leaves room."""
    total = 0.0
    for i in range(start, stop):
        leaf = dual.now[i]
        if dual.live[leaf] != dual.clock[0]:
            continue
        tree = dual.owner[leaf]
        net = value[leaf] - dual.paid[leaf] - dual.fee[tree]
        if net > dual.top[tree]:
            due = min(net - dual.top[tree], max(rate * dual.toll[i] - total, 0.0))
            dual.fee[tree] += due
            total += due
            dual.top[tree] = max(dual.top[tree], net - due)
        dual.paid[leaf] += dual.fee[tree]


@numba.njit(cache=True)
def _filled(value, dual, span, trees, order, base, left, rate):  # type: ignore[no-untyped-def]
    """The bound on the margin at this rate."""
    for slot in range(trees):
        for at in range(span[slot, 0], span[slot, 1]):
            dual.paid[order[at]] = 0.0
    for b in range(dual.clock[2]):
        _join(value, dual, order, dual.begin[b], dual.begin[b + 1])
        _charge(value, dual, dual.begin[b], dual.begin[b + 1], rate)
    dual.clock[1] += 1
    bound = base + rate * left
    for slot in range(trees):
        tree = dual.owner[order[span[slot, 0]]]
        dual.top[tree] = _best(value, dual, order, tree)
        bound += dual.top[tree]
    return bound


@numba.njit(cache=True)
def _left(rule, dual, spent):  # type: ignore[no-untyped-def]
    """What is left of the sums."""
    left = 0.0
    for k in range(len(dual.mix)):
        if dual.mix[k] > 0.0:
            left += dual.mix[k] * max(rule.limit[k] - spent[k], 0.0)
    return left


@numba.njit(cache=True)
def _trim(value, dual, span, trees, order, room):  # type: ignore[no-untyped-def]
    """Drop leaves from either end of a tree's range that cost more than the `room` above the floor; whether any was."""
    less = False
    if not room > _HAIR:
        return less
    for slot in range(trees):
        start, stop = span[slot, 0], span[slot, 1]
        tree = dual.owner[order[start]]
        best = dual.top[tree]
        while start < stop:
            leaf = order[start]
            if dual.live[leaf] == dual.clock[0] and best - value[leaf] + dual.paid[leaf] < room:
                break
            dual.live[leaf] = 0
            start += 1
        while stop > start:
            leaf = order[stop - 1]
            if dual.live[leaf] == dual.clock[0] and best - value[leaf] + dual.paid[leaf] < room:
                break
            dual.live[leaf] = 0
            stop -= 1
        less = less or start > span[slot, 0] or stop < span[slot, 1]
        span[slot, 0], span[slot, 1] = start, stop
        dual.range[tree, 0], dual.range[tree, 1] = start, stop
    return less


@numba.njit(cache=True)
def relax(forest, paths, rule, state, level, floor, bound):  # type: ignore[no-untyped-def]
    """Bound a level and trim its leaves; whether any went. The multiplier is the one of the level above, or one step
    from it where that bounds better; at the root it is searched for in steps that get smaller.
    """
    dual, span, trees, order = state.dual, state.span[level], state.trees[level], state.order
    dual.cap[level], best, less = bound, np.inf, False
    if trees == 0:
        return False
    state.at[1] += _HEAVY
    _reach(forest, rule, paths, dual, state.box[level], state.spent[level], span, trees, order)
    _events(forest, rule, paths.narrows, dual, state.box[level])
    left = _left(rule, dual, state.spent[level])
    dual.rate[level] = dual.rate[level - 1] if level > 0 else _FIRST * max(bound - floor, 1e-12)
    for turn in range(len(_FACTORS) if level == 0 else 3):
        factor = _FACTORS[turn]
        for _ in range(_CLIMBS if level == 0 else 1):
            rate = dual.rate[level] * factor
            now = _filled(paths.value, dual, span, trees, order, state.base[level], left, rate)
            less = _trim(paths.value, dual, span, trees, order, now - floor) or less
            if now >= best:
                break
            best, dual.rate[level] = now, rate
            dual.cap[level] = min(bound, now)
            if not now > floor:
                return False
            if factor == 1.0:
                break
        if level > 0 and turn == 1 and dual.rate[level] == rate:
            break
    return less
