"""Compiled walks through the nodes of tree ensembles; imported only where one is walked."""

from __future__ import annotations

import numba
import numpy as np

_BLOCK, _MANY = 64, 32


@numba.njit(cache=True)
def leaf(feature, threshold, left, right, missing_left, row, node):  # type: ignore[no-untyped-def]
    """The leaf a row falls into below `node`."""
    at = feature[node]
    while at >= 0:
        value = row[at]
        if value < threshold[node] or (missing_left[node] and value != value):
            node = left[node]
        else:
            node = right[node]
        at = feature[node]
    return node


@numba.njit(cache=True)
def sums(feature, threshold, left, right, missing_left, value, root, base, x, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n, outputs) with `base` plus the leaves; few rows walk one by one, many level by level."""
    out[:] = base
    column, child = _packed(feature, left, right) if len(x) >= _MANY else _packed(feature[:0], left, right)
    nodes = np.empty(_BLOCK, np.uint32)
    for start in range(0, len(x), _BLOCK):
        rows = x[start : start + _BLOCK]
        for tree in range(len(root)):
            if len(x) >= _MANY:
                _leaves(column, threshold, missing_left, child, rows, np.uint32(root[tree]), nodes)
            else:
                for at in range(len(rows)):
                    nodes[at] = leaf(feature, threshold, left, right, missing_left, rows[at], root[tree])
            for at in range(len(rows)):
                for output in range(len(base)):
                    out[start + at, output] += value[nodes[at], output]


@numba.njit(cache=True)
def _packed(feature, left, right):  # type: ignore[no-untyped-def]
    """(column, children) of every node without a branch to take: a leaf asks column 0 and stays where it is."""
    column, child = np.empty(len(feature), np.uint32), np.empty(2 * len(feature), np.uint32)
    for node in range(len(feature)):
        inner = feature[node] >= 0
        column[node] = feature[node] if inner else 0
        child[2 * node] = left[node] if inner else node
        child[2 * node + 1] = right[node] if inner else node
    return column, child


@numba.njit(cache=True)
def _leaves(column, threshold, missing_left, child, rows, root, nodes):  # type: ignore[no-untyped-def]
    """The leaf of every row, all of them one level down at a time: no row waits for what another guesses."""
    nodes[: len(rows)] = root
    moved = True
    while moved:
        change = np.uint32(0)
        for at in range(len(rows)):
            node = nodes[at]
            value, cut = rows[at, column[node]], threshold[node]
            turn = np.uint32((not value < cut) & ((value >= cut) | (not missing_left[node])))
            nodes[at] = child[np.uint32(2) * node + turn]
            change |= nodes[at] ^ node
        moved = change != 0


@numba.njit(cache=True)
def reached(feature, left, right, root):  # type: ignore[no-untyped-def]
    """Which nodes belong to the trees, as a mask."""
    seen = np.zeros(len(feature), np.bool_)
    stamp = np.full(len(feature), -1, np.int32)
    stack = np.empty(len(feature) + 1, np.int32)
    for tree in range(len(root)):
        _mark(feature, left, right, root[tree], tree, stamp, stack)
    for node in range(len(feature)):
        seen[node] = stamp[node] >= 0
    return seen


@numba.njit(cache=True)
def adding(feature, left, right, value, root):  # type: ignore[no-untyped-def]
    """Which trees have a leaf that is not zero, as a mask."""
    adds = np.zeros(len(root), np.bool_)
    stamp = np.full(len(feature), -1, np.int32)
    stack = np.empty(len(feature) + 1, np.int32)
    for tree in range(len(root)):
        count = _mark(feature, left, right, root[tree], tree, stamp, stack)
        for at in range(count):
            node = stack[at]
            if feature[node] < 0 and value[node] != 0.0:
                adds[tree] = True
    return adds


@numba.njit(cache=True)
def _mark(feature, left, right, root, tree, stamp, queue):  # type: ignore[no-untyped-def]
    """Stamp every node below `root` once; they are the first of `queue`, which the count returned ends."""
    queue[0], stamp[root], count, at = root, tree, 1, 0
    while at < count:
        node = queue[at]
        at += 1
        if feature[node] >= 0:
            for child in (left[node], right[node]):
                if stamp[child] != tree:
                    stamp[child] = tree
                    queue[count] = child
                    count += 1
    return count
