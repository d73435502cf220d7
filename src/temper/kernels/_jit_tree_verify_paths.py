"""Compiled reading of a tree ensemble inside a box: every way to a leaf that meets it, as limits on cells.

The cuts of a column part its line into cells, numbered from 0; a box holds per column the cells `low`..`high` and
whether the value may be missing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np


class Forest(NamedTuple):
    """A margin with its thresholds as cells: a row goes left while its cell is at most `cut`."""

    feature: Any
    cut: Any
    left: Any
    right: Any
    missing_left: Any
    value: Any
    root: Any
    offset: Any  # column q's cells are whole[offset[q]:offset[q + 1]], its cuts cuts[offset[q] - q:]
    cuts: Any
    whole: Any  # whether the cell holds a whole number


class Paths(NamedTuple):
    """The leaves in reach: tree t owns `tree[t]:tree[t + 1]`, leaf p the limits `limit[p]:limit[p + 1]`."""

    value: Any
    tree: Any
    limit: Any
    narrows: Any  # (limits, 4): column, low, high, missing
    base: Any  # the sum of the base and of what is fixed, and the sum of the largest |values|


class Walk(NamedTuple):
    """The box on the way down one tree, what to undo on the way up, and the nodes still to visit."""

    box: Any  # (columns, 3): low, high, missing
    seen: Any  # per column the number of the last leaf that named it; the number of this leaf behind them
    trail: Any  # (steps, 4): column, its low, high and missing before the step
    todo: Any  # (nodes, 6): node, length of the trail above it, low, high, missing of its parent's column, the parent


@numba.njit(cache=True)
def narrowed(offset, full, whole, q, low, high):  # type: ignore[no-untyped-def]
    """The limits without the cells at either end in which a column of whole numbers has no value."""
    if whole[q]:
        start = offset[q]
        while low <= high and not full[start + low]:
            low += 1
        while high >= low and not full[start + high]:
            high -= 1
    return low, high


@numba.njit(cache=True)
def _slide(feature, cut, left, right, missing_left, box, node):  # type: ignore[no-untyped-def]
    """Follow a node down to a leaf, or to the first node of which the box meets both sides."""
    while feature[node] >= 0:
        q, last = feature[node], cut[node]
        low, high, missing = box[q, 0], box[q, 1], box[q, 2]
        on_left = low <= min(high, last) or (missing and missing_left[node])
        on_right = max(low, last + 1) <= high or (missing and not missing_left[node])
        if on_left and on_right:
            break
        node = left[node] if on_left else right[node]
    return node


@numba.njit(cache=True)
def _branch(forest, whole, box, todo, node, depth, top):  # type: ignore[no-untyped-def]
    """Put both children of a node on the list; its new length."""
    q, cut = forest.feature[node], forest.cut[node]
    for side in range(2):
        low, high = (max(box[q, 0], cut + 1), box[q, 1]) if side == 0 else (box[q, 0], min(box[q, 1], cut))
        low, high = narrowed(forest.offset, forest.whole, whole, q, low, high)
        missing = box[q, 2] if forest.missing_left[node] == (side == 1) else 0
        todo[top, 0] = forest.right[node] if side == 0 else forest.left[node]
        todo[top, 1], todo[top, 2], todo[top, 3], todo[top, 4], todo[top, 5] = depth, low, high, missing, q
        top += 1
    return top


@numba.njit(cache=True)
def _enter(box, trail, todo, item, depth):  # type: ignore[no-untyped-def]
    """Go back up to the item's parent and narrow the parent's column; the new length of the trail."""
    while depth > todo[item, 1]:
        depth -= 1
        q = trail[depth, 0]
        box[q, 0], box[q, 1], box[q, 2] = trail[depth, 1], trail[depth, 2], trail[depth, 3]
    q = todo[item, 5]
    if q < 0:
        return depth
    trail[depth, 0], trail[depth, 1], trail[depth, 2], trail[depth, 3] = q, box[q, 0], box[q, 1], box[q, 2]
    box[q, 0], box[q, 1], box[q, 2] = todo[item, 2], todo[item, 3], todo[item, 4]
    return depth + 1


@numba.njit(cache=True)
def _emit(narrows, box, seen, trail, start, depth, at):  # type: ignore[no-untyped-def]
    """Write every column that the path to a leaf narrows; the end of its limits."""
    seen[-1] += 1
    for step in range(depth):
        q = trail[step, 0]
        if seen[q] == seen[-1]:
            continue
        seen[q] = seen[-1]
        if box[q, 0] != start[q, 0] or box[q, 1] != start[q, 1] or box[q, 2] != start[q, 2]:
            narrows[at, 0], narrows[at, 1], narrows[at, 2], narrows[at, 3] = q, box[q, 0], box[q, 1], box[q, 2]
            at += 1
    return at


@numba.njit(cache=True)
def _grown(paths, leaves, limits):  # type: ignore[no-untyped-def]
    """The same paths with room for more."""
    if leaves + 1 < len(paths.value) and limits < len(paths.narrows):
        return paths
    more, wide = 2 * len(paths.value), 2 * len(paths.narrows) + limits
    new = Paths(np.empty(more), paths.tree, np.zeros(more + 1, np.int64), np.empty((wide, 4), np.int32), paths.base)
    new.value[: len(paths.value)] = paths.value
    new.limit[: len(paths.limit)] = paths.limit
    new.narrows[: len(paths.narrows)] = paths.narrows
    return new


@numba.njit(cache=True)
def _tree(forest, paths, walk, start, whole, tree, leaf):  # type: ignore[no-untyped-def]
    """All leaves of one tree that the box meets, written from `leaf` on; the paths and the next leaf."""
    feature, cut, left, right, missing_left = forest.feature, forest.cut, forest.left, forest.right, forest.missing_left
    todo, box, trail, seen = walk.todo, walk.box, walk.trail, walk.seen
    todo[0, 0], todo[0, 1], todo[0, 5] = forest.root[tree], 0, -1
    top, depth, at = 1, 0, paths.limit[leaf]
    while top > 0:
        top -= 1
        depth = _enter(box, trail, todo, top, depth)
        node = _slide(feature, cut, left, right, missing_left, box, todo[top, 0])
        if feature[node] >= 0:
            top = _branch(forest, whole, box, todo, node, depth, top)
            continue
        paths = _grown(paths, leaf + 1, at + depth + 1)
        at = _emit(paths.narrows, box, seen, trail, start, depth, at)
        paths.value[leaf], paths.limit[leaf + 1] = forest.value[node], at
        leaf += 1
    todo[0, 1], todo[0, 5] = 0, -1
    _enter(box, trail, todo, 0, depth)
    return paths, leaf


@numba.njit(cache=True)
def read(forest, box, whole, base, deepest):  # type: ignore[no-untyped-def]
    """The paths of every tree inside the box, and how many trees; those with one value left become part of the base."""
    feature, cut, left, right, missing_left = forest.feature, forest.cut, forest.left, forest.right, forest.missing_left
    trees = len(forest.root)
    room = 4 * trees + 64
    limits, narrows = np.zeros(room + 1, np.int64), np.empty((4 * room, 4), np.int32)
    paths = Paths(np.empty(room), np.zeros(trees + 1, np.int64), limits, narrows, np.zeros(2))
    trail, todo = np.empty((deepest + 2, 4), np.int64), np.empty((deepest + 4, 6), np.int64)
    walk = Walk(box.copy(), np.zeros(len(box) + 1, np.int64), trail, todo)
    total, size, leaf, kept = base, abs(base), 0, 0
    for tree in range(trees):
        node = _slide(feature, cut, left, right, missing_left, box, forest.root[tree])
        if feature[node] < 0:
            total += forest.value[node]
            size += abs(forest.value[node])
            continue
        paths, end = _tree(forest, paths, walk, box, whole, tree, leaf)
        low, high = paths.value[leaf], paths.value[leaf]
        for at in range(leaf, end):
            low, high = min(low, paths.value[at]), max(high, paths.value[at])
        size += max(abs(low), abs(high))
        if low == high:
            total += low
            continue
        kept, leaf = kept + 1, end
        paths.tree[kept] = leaf
    paths.base[0], paths.base[1] = total, size
    return paths, kept


@numba.njit(cache=True)
def locate(forest, values):  # type: ignore[no-untyped-def]
    """The cell of every column's value; a missing value is in none (-1)."""
    cells = np.empty(len(values), np.int32)
    for q in range(len(values)):
        start, stop = forest.offset[q] - q, forest.offset[q + 1] - q - 1
        cells[q] = -1 if np.isnan(values[q]) else np.searchsorted(forest.cuts[start:stop], values[q], side="right")
    return cells


@numba.njit(cache=True)
def depths(feature, left, right):  # type: ignore[no-untyped-def]
    """The longest way from any node to a leaf; children lie behind their parents."""
    below = np.zeros(len(feature), np.int64)
    deepest = 0
    for node in range(len(feature) - 1, -1, -1):
        if feature[node] >= 0:
            below[node] = 1 + max(below[left[node]], below[right[node]])
            deepest = max(deepest, below[node])
    return deepest


@numba.njit(cache=True)
def cells(forest, low, high, valued, missing, whole):  # type: ignore[no-untyped-def]
    """The box (columns, 3) in cells of the values from `low` to `high`: first, last, whether it may be missing."""
    box = np.empty((len(low), 3), np.int32)
    box[:, 0], box[:, 1], box[:, 2] = locate(forest, low), locate(forest, high), missing
    for q in range(len(low)):
        if valued[q]:
            box[q, 0], box[q, 1] = narrowed(forest.offset, forest.whole, whole, q, box[q, 0], box[q, 1])
        else:
            box[q, 0], box[q, 1] = 1, 0
    return box


@numba.njit(cache=True)
def meets(limit, narrows, box, leaf):  # type: ignore[no-untyped-def]
    """Whether the leaf can be reached in the box."""
    for at in range(limit[leaf], limit[leaf + 1]):
        q = narrows[at, 0]
        if max(box[q, 0], narrows[at, 1]) > min(box[q, 1], narrows[at, 2]) and not (box[q, 2] & narrows[at, 3]):
            return False
    return True
