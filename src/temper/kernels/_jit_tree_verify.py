"""Compiled branch and bound over the leaves of an ensemble: can the margin be positive inside a box?

A state is a box and, per tree not yet fixed, a range of its leaves in falling order of value. The best leaf that meets
the box bounds what the tree can add, so the range loses its head where that leaf is out of reach and its tail where
the value leaves the whole sum at or below the floor. A tree with one leaf left narrows the box, trees with a few narrow
it to their span, and again; then one tree is branched on, its best leaf first. The walk is depth first, so that a break
is found on the way down and nothing but the path to the current state is kept. It can be stopped after any number of
states and taken up again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from temper.kernels._jit_tree_verify_budget import affords, dual, relax, spend
from temper.kernels._jit_tree_verify_paths import meets, narrowed

CERTIFIED, BROKEN, STOPPED = 0, 1, 2
ROUNDS = 3
FEW = 3  # leaves of a tree that are worth a look at their span


class State(NamedTuple):
    """One row per level of the walk: its box, what is fixed, and the ranges of leaves of the trees that are not."""

    box: Any  # (levels, columns, 3): low, high, missing
    base: Any  # (levels,): the leaves that are fixed
    bound: Any  # (levels,): with the best of the others; without the tree that is branched on
    spent: Any  # (levels, sums)
    trees: Any  # (levels,): how many trees are not fixed
    span: Any  # (levels, trees, 2): their leaves in `order`, best first
    child: Any  # (levels, 2): the next leaf to branch on and the end of the range; -1 where the level is new
    order: Any  # leaves by tree, best first
    worth: Any  # their values
    hull: Any  # (columns, 5): scratch: low, high, missing, how many leaves name the column, which columns are named
    at: Any  # current level, states seen
    dual: Any  # what trees are charged where sums limit the moves


@numba.njit(cache=True)
def _filter(forest, rule, limit, narrows, box, spent, span, trees, order, worth, bound):  # type: ignore[no-untyped-def]
    """Move every range on to a leaf that meets the box; the bound on the margin, -inf where a tree has none left."""
    sums, offset, most, here, prices, goners = (
        len(spent) > 0,
        forest.offset,
        rule.limit,
        rule.here,
        rule.price,
        rule.gone,
    )
    for slot in range(trees):
        at, stop = span[slot, 0], span[slot, 1]
        while at < stop:
            leaf = order[at]
            if meets(limit, narrows, box, leaf) and (
                not sums or affords(offset, most, here, prices, goners, limit, narrows, box, spent, leaf)
            ):
                break
            at += 1
        span[slot, 0] = at
        if at == stop:
            return -np.inf
        bound += worth[at]
    return bound


@numba.njit(cache=True)
def _cover(limit, narrows, box, order, hull, start, stop):  # type: ignore[no-untyped-def]
    """Span the limits of the leaves that meet the box: how many leaves, how many columns they name."""
    named, leaves = 0, 0
    for at in range(start, stop):
        leaf = order[at]
        if at > start and not meets(limit, narrows, box, leaf):
            continue
        for i in range(limit[leaf], limit[leaf + 1]):
            q = narrows[i, 0]
            if leaves == 0:
                hull[q, 0], hull[q, 1], hull[q, 2] = narrows[i, 1], narrows[i, 2], narrows[i, 3]
                hull[named, 4], hull[q, 3] = q, 1
                named += 1
            elif hull[q, 3] == leaves:
                if narrows[i, 1] <= narrows[i, 2]:
                    empty = hull[q, 0] > hull[q, 1]
                    hull[q, 0] = narrows[i, 1] if empty else min(hull[q, 0], narrows[i, 1])
                    hull[q, 1] = narrows[i, 2] if empty else max(hull[q, 1], narrows[i, 2])
                hull[q, 2] |= narrows[i, 3]
                hull[q, 3] += 1
        leaves += 1
    return leaves, named


@numba.njit(cache=True)
def _narrow(offset, full, whole, box, hull, named, leaves):  # type: ignore[no-untyped-def]
    """Cut the box down to the span of leaves that all name the column: 0 as before, 1 less, 2 empty."""
    changed = 0
    for i in range(named):
        q = hull[i, 4]
        every = hull[q, 3] == leaves
        hull[q, 3] = 0
        if not every:
            continue
        low, high = max(box[q, 0], hull[q, 0]), min(box[q, 1], hull[q, 1])
        low, high = narrowed(offset, full, whole, q, low, high)
        missing = box[q, 2] & hull[q, 2]
        if low != box[q, 0] or high != box[q, 1] or missing != box[q, 2]:
            changed = max(changed, 1 if low <= high or missing else 2)
            box[q, 0], box[q, 1], box[q, 2] = low, high, missing
    return changed


@numba.njit(cache=True)
def _tighten(forest, whole, limit, narrows, state, level, room):  # type: ignore[no-untyped-def]
    """Drop leaves that cost more than the `room` above the floor, fix trees with one left: 0, 1 or 2 as `_narrow`."""
    offset, full, box, span, hull = forest.offset, forest.whole, state.box[level], state.span[level], state.hull
    order, worth, kept, changed = state.order, state.worth, 0, 0
    for slot in range(state.trees[level]):
        start, stop = span[slot, 0], span[slot, 1]
        top = worth[start]
        while top - worth[stop - 1] >= room:
            stop -= 1
        if stop - start <= FEW:
            leaves, named = _cover(limit, narrows, box, order, hull, start, stop)
            changed = max(changed, _narrow(offset, full, whole, box, hull, named, leaves))
            if changed == 2:
                return 2
            if leaves == 1:
                state.base[level] += top
                continue
        span[kept, 0], span[kept, 1] = start, stop
        kept += 1
    state.trees[level] = kept
    return changed


@numba.njit(cache=True)
def _propagate(forest, paths, rule, state, level, floor):  # type: ignore[no-untyped-def]
    """Narrow a level until nothing moves: the bound on its margin, -inf where nothing above the floor is left."""
    box, spent, span, order, worth = state.box[level], state.spent[level], state.span[level], state.order, state.worth
    limit, narrows, bound, changed = paths.limit, paths.narrows, -np.inf, 1
    for _ in range(ROUNDS):
        if not spend(forest, rule, box, spent):
            return -np.inf
        trees, base = state.trees[level], state.base[level]
        bound = _filter(forest, rule, limit, narrows, box, spent, span, trees, order, worth, base)
        if not bound > floor:
            return -np.inf
        changed = _tighten(forest, rule.whole, limit, narrows, state, level, bound - floor)
        if changed != 1:
            break
    return bound if changed == 0 or (changed == 1 and spend(forest, rule, box, spent)) else -np.inf


@numba.njit(cache=True)
def settle(forest, paths, rule, state, level, floor):  # type: ignore[no-untyped-def]
    """Bound a level and narrow it, first by what each leaf can reach, then by what all of them have to share."""
    bound = _propagate(forest, paths, rule, state, level, floor)
    if len(rule.limit) == 0 or not bound > floor:
        return bound
    if relax(forest, paths, rule, state, level, floor, bound):
        return _propagate(forest, paths, rule, state, level, floor)
    return bound if state.dual.cap[level] > floor else -np.inf


@numba.njit(cache=True)
def _branch(state, level):  # type: ignore[no-untyped-def]
    """Take the tree with the widest spread off the level's list and make its leaves the children."""
    span, worth, last = state.span[level], state.worth, state.trees[level] - 1
    chosen, widest = 0, -1.0
    for slot in range(last + 1):
        spread = worth[span[slot, 0]] - worth[span[slot, 1] - 1]
        if spread > widest:
            chosen, widest = slot, spread
    state.child[level, 0], state.child[level, 1] = span[chosen, 0], span[chosen, 1]
    state.bound[level] -= worth[span[chosen, 0]]
    span[chosen, 0], span[chosen, 1] = span[last, 0], span[last, 1]
    state.trees[level] = last


@numba.njit(cache=True)
def _descend(limit, narrows, box, span, trees, leaf):  # type: ignore[no-untyped-def]
    """Write the next level (boxes and spans come as level and next): the same box within the limits of this leaf."""
    above, below = box
    for q in range(len(above)):
        below[q, 0], below[q, 1], below[q, 2] = above[q, 0], above[q, 1], above[q, 2]
    for at in range(limit[leaf], limit[leaf + 1]):
        q = narrows[at, 0]
        below[q, 0], below[q, 1] = max(below[q, 0], narrows[at, 1]), min(below[q, 1], narrows[at, 2])
        below[q, 2] &= narrows[at, 3]
    for slot in range(trees):
        span[1][slot, 0], span[1][slot, 1] = span[0][slot, 0], span[0][slot, 1]


@numba.njit(cache=True)
def _visit(forest, paths, rule, state, level, floor):  # type: ignore[no-untyped-def]
    """Try the next child of a level: whether there is something above the floor in it."""
    at, below = state.child[level, 0], level + 1
    state.child[level, 0] += 1
    leaf, box, trees = state.order[at], state.box, state.trees[level]
    if not meets(paths.limit, paths.narrows, box[level], leaf):
        return False
    spans = (state.span[level], state.span[below])
    _descend(paths.limit, paths.narrows, (box[level], box[below]), spans, trees, leaf)
    state.base[below], state.trees[below] = state.base[level] + state.worth[at], trees
    state.bound[below] = settle(forest, paths, rule, state, below, floor)
    state.child[below, 0] = state.child[below, 1] = -1
    return state.bound[below] > floor


@numba.njit(cache=True)
def search(forest, paths, rule, state, floor, found, limit):  # type: ignore[no-untyped-def]
    """Go on for `limit` steps: CERTIFIED when no state is left, BROKEN when `found` holds a box above the floor."""
    level = state.at[0]
    for _ in range(limit):
        state.at[0] = level
        if level < 0:
            return CERTIFIED
        state.at[1] += 1
        if state.child[level, 1] < 0 and state.trees[level] == 0:
            found[:] = state.box[level]
            state.at[0] = level - 1
            return BROKEN
        if state.child[level, 1] < 0:
            _branch(state, level)
        at = state.child[level, 0]
        if at >= state.child[level, 1] or state.bound[level] + state.worth[at] <= floor:
            level -= 1
        elif _visit(forest, paths, rule, state, level, floor):
            level += 1
    state.at[0] = level
    return STOPPED


@numba.njit(cache=True)
def best_left(state):  # type: ignore[no-untyped-def]
    """The highest margin that a state not yet seen may still have, -inf where none is left."""
    top = -np.inf
    for level in range(state.at[0] + 1):
        most = -np.inf
        if state.child[level, 1] < 0:
            most = state.bound[level]
        elif state.child[level, 0] < state.child[level, 1]:
            most = state.bound[level] + state.worth[state.child[level, 0]]
        top = max(top, min(most, state.dual.cap[level]) if len(state.dual.cap) else most)
    return top


@numba.njit(cache=True)
def begin(forest, paths, trees, rule, box, floor):  # type: ignore[no-untyped-def]
    """The root state of a box that was read into `paths`; its level is -1 where nothing lies above the floor."""
    d, levels, leaves = len(box), trees + 2, paths.tree[trees]
    state = State(
        np.empty((levels, d, 3), np.int32),
        np.empty(levels),
        np.empty(levels),
        np.zeros((levels, len(rule.limit))),
        np.zeros(levels, np.int64),
        np.empty((levels, trees, 2), np.int32),
        np.full((levels, 2), -1, np.int64),
        np.empty(leaves, np.int32),
        np.empty(leaves),
        np.zeros((d, 5), np.int32),
        np.zeros(2, np.int64),
        dual(forest, rule, paths, trees, levels),
    )
    state.box[0] = box
    state.base[0], state.trees[0] = paths.base[0], trees
    for tree in range(trees):
        start, stop = paths.tree[tree], paths.tree[tree + 1]
        order = start + np.argsort(-paths.value[start:stop])
        state.order[start:stop], state.worth[start:stop] = order, paths.value[order]
        state.span[0, tree, 0], state.span[0, tree, 1] = start, stop
    state.bound[0] = settle(forest, paths, rule, state, 0, floor)
    if not state.bound[0] > floor:
        state.at[0] = -1
    return state
