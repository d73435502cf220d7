"""Compiled: one margin over trees, cut down to the part a row can reach, and read along single columns.

Records in place of many arrays: a node's fields lie together in memory, and there is little to compile.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

NUMBER, WHOLE, CATEGORY = 0, 1, 2
VALUE_ONLY, EITHER, MISSING_ONLY = 0, 1, 2

# `level` is the threshold of a split and the value of a leaf (feature -1); `rank` the place among all cuts.
NODE = np.dtype(
    [("level", "f8"), ("feature", "i4"), ("left", "i4"), ("right", "i4"), ("rank", "i4"), ("missing", "i4")], align=True
)
# `mask` has bit `feature % 64` of every column that the tree splits on; `part` is what it adds to the margin now.
TREE = np.dtype([("part", "f8"), ("mask", "u8"), ("root", "i4")], align=True)
# `most` is no less than the margin anywhere in the row's range; `nodes` counts those of the pruned copy.
TALLY = np.dtype(
    [("base", "f8"), ("most", "f8"), ("trees", "i8"), ("nodes", "i8"), ("margin", "f8"), ("random", "u8")], align=True
)
CUT = np.dtype([("cut", "f8"), ("below", "f8")], align=True)
# One column of one row: its range, and what a move costs, to guide the search, in the norm, in the schema's money.
COLUMN = np.dtype(
    [
        *((name, "f8") for name in ("x0", "low", "high", "scale")),
        ("weight", "f8", (3,)),
        *((name, "i4") for name in ("kind", "missing", "mobile", "dirty")),
    ],
    align=True,
)
COST = np.dtype([("limit", "f8"), ("spent", "f8"), ("power", "i8")], align=True)


@numba.njit(cache=True)
def depth(nodes: Any) -> Any:
    """The longest path; children lie behind their parents."""
    longest = np.zeros(len(nodes) + 1, dtype=np.int64)
    for k in range(len(nodes) - 1, -1, -1):
        if nodes[k].feature >= 0:
            longest[k] = 1 + max(longest[nodes[k].left], longest[nodes[k].right])
    return longest.max()


@numba.njit(cache=True)
def set_masks(nodes: Any, trees: Any) -> None:
    """Which columns every tree splits on."""
    seen = np.zeros(len(nodes), dtype=np.uint64)
    for k in range(len(nodes) - 1, -1, -1):
        if nodes[k].feature >= 0:
            bit = np.uint64(1) << np.uint64(nodes[k].feature & 63)
            seen[k] = bit | seen[nodes[k].left] | seen[nodes[k].right]
    for t in range(len(trees)):
        trees[t].mask = seen[trees[t].root]


@numba.njit(cache=True)
def first_above(cuts: Any, level: float, begin: int, end: int) -> Any:
    """The first place in cuts[begin:end] that holds more than `level`."""
    while begin < end:
        middle = (begin + end) >> 1
        if cuts[middle].cut > level:
            end = middle
        else:
            begin = middle + 1
    return begin


@numba.njit(cache=True)
def walk(nodes: Any, k: int, x: Any) -> Any:
    """The leaf value that a row reaches from node k."""
    f = nodes[k].feature
    while f >= 0:
        v = x[f]
        if v < nodes[k].level or (v != v and nodes[k].missing):
            k = nodes[k].left
        else:
            k = nodes[k].right
        f = nodes[k].feature
    return nodes[k].level


@numba.njit(cache=True)
def totals(nodes: Any, trees: Any, base: float, x: Any) -> Any:
    """The margins of rows (n, d), in blocks, so that a tree stays in the cache."""
    out = np.full(len(x), base)
    for start in range(0, len(x), 64):
        for t in range(len(trees)):
            for row in range(start, min(start + 64, len(x))):
                out[row] += walk(nodes, trees[t].root, x[row])
    return out


@numba.njit(cache=True)
def settled(nodes: Any, field: Any, k: int) -> Any:
    """Follow the splits that the row's range decides."""
    f = nodes[k].feature
    while f >= 0:
        left, right = field[f].low < nodes[k].level, field[f].high >= nodes[k].level
        if field[f].missing == MISSING_ONLY:
            left = right = False
        if field[f].missing != VALUE_ONLY:
            left, right = left or nodes[k].missing != 0, right or nodes[k].missing == 0
        if left and right:
            return k
        k = nodes[k].left if left else nodes[k].right
        f = nodes[k].feature
    return k


@numba.njit(cache=True)
def _copied(nodes: Any, field: Any, pruned: Any, places: Any, child: int, count: int) -> Any:
    """Where a child lies in the pruned copy; a new place at the end when it is not there yet."""
    k = settled(nodes, field, child)
    at = places[0, k]
    if at < count and places[1, at] == k:
        return at
    places[0, k], places[1, count] = count, k
    pruned[count].feature, pruned[count].level = nodes[k].feature, nodes[k].level
    pruned[count].rank, pruned[count].missing = nodes[k].rank, nodes[k].missing
    return count


@numba.njit(cache=True)
def _copy_tree(nodes: Any, field: Any, pruned: Any, places: Any, at: int, count: int) -> Any:
    """Give every copied node from place `at` on its children; how many nodes there are then, and the columns met."""
    mask = np.uint64(0)
    while at < count:
        if pruned[at].feature >= 0:
            mask |= np.uint64(1) << np.uint64(pruned[at].feature & 63)
            k = places[1, at]
            left = _copied(nodes, field, pruned, places, nodes[k].left, count)
            count = max(count, left + 1)
            right = _copied(nodes, field, pruned, places, nodes[k].right, count)
            count = max(count, right + 1)
            pruned[at].left, pruned[at].right = left, right
        at += 1
    return count, mask


@numba.njit(cache=True)
def _highest(pruned: Any, at: int, count: int) -> Any:
    """The highest leaf of the copied tree that lies from place `at` on; infinite where it shares nodes with another."""
    most = -np.inf
    for k in range(at, count):
        if pruned[k].feature < 0:
            most = max(most, pruned[k].level)
        elif pruned[k].left < at or pruned[k].right < at:
            return np.inf
    return most if most > -np.inf else np.inf


@numba.njit(cache=True)
def prune(nodes: Any, trees: Any, base: float, field: Any, pruned: Any, kept: Any, tally: Any, places: Any) -> None:
    """Keep what the row's range leaves open; trees that have one leaf left go into the base."""
    count, many, gain = 0, 0, 0.0
    for t in range(len(trees)):
        k = settled(nodes, field, trees[t].root)
        if nodes[k].feature < 0:
            base += nodes[k].level
            continue
        at = _copied(nodes, field, pruned, places, k, count)
        count, mask = _copy_tree(nodes, field, pruned, places, at, max(count, at + 1))
        kept[many].root, kept[many].mask = at, mask
        gain += _highest(pruned, at, count)
        many += 1
    tally[0].trees, tally[0].nodes, tally[0].base, tally[0].most = many, count, base, base + gain


@numba.njit(cache=True)
def sweep(pruned: Any, kept: Any, many: int, x: Any, q: int, first: int, n: int, sums: Any, stack: Any) -> Any:
    """Margins on the `n` intervals of column q, from cut `first` on, into `sums`, over the trees that split on it; what
    these trees add at the point itself is returned.
    """
    sums[: n + 1] = 0.0
    bit, read = np.uint64(1) << np.uint64(q & 63), 0.0
    for t in range(many):
        if kept[t].mask & bit == np.uint64(0):
            continue
        read += kept[t].part
        stack[0, 0], stack[0, 1], stack[0, 2] = kept[t].root, 0, n
        top = 1
        while top > 0:
            top = _spread(pruned, x, q, first, sums, stack, top - 1)
    for j in range(1, n):
        sums[j] += sums[j - 1]
    return read


@numba.njit(cache=True)
def _spread(nodes: Any, x: Any, q: int, first: int, sums: Any, stack: Any, top: int) -> Any:
    """Take one node with its intervals from the stack down to a leaf, putting right branches aside."""
    k, i, j = stack[top, 0], stack[top, 1], stack[top, 2]
    f = nodes[k].feature
    while f >= 0:
        if f != q:
            v = x[f]
            left = v < nodes[k].level or (v != v and nodes[k].missing != 0)
        else:
            p = nodes[k].rank - first + 1
            left = p > i
            if i < p < j:
                stack[top, 0], stack[top, 1], stack[top, 2] = nodes[k].right, p, j
                top, j = top + 1, p
        k = nodes[k].left if left else nodes[k].right
        f = nodes[k].feature
    sums[i] += nodes[k].level
    sums[j] -= nodes[k].level
    return top
