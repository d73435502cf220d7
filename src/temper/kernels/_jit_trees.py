"""Compiled walks through the nodes of tree ensembles; imported only where one is walked."""

from __future__ import annotations

import numba
import numpy as np

_BLOCK = 64


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
    """Fill `out` (n, outputs) with `base` plus the leaves; trees outside, so that one stays in the cache."""
    out[:] = base
    outputs = len(base)
    for start in range(0, len(x), _BLOCK):
        stop = min(start + _BLOCK, len(x))
        for tree in range(len(root)):
            for at in range(start, stop):
                end = leaf(feature, threshold, left, right, missing_left, x[at], root[tree])
                for output in range(outputs):
                    out[at, output] += value[end, output]


@numba.njit(cache=True)
def sum_one(feature, threshold, left, right, missing_left, value, root, base, x, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with a single output: `base` plus the leaves."""
    out[:] = base
    for start in range(0, len(x), _BLOCK):
        stop = min(start + _BLOCK, len(x))
        for tree in range(len(root)):
            for at in range(start, stop):
                out[at] += value[leaf(feature, threshold, left, right, missing_left, x[at], root[tree])]


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
