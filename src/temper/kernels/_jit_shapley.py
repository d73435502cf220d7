"""Compiled Shapley values of tree ensembles; imported only where one is explained."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def trees(  # type: ignore[no-untyped-def]
    feature, threshold, left, right, missing_left, value, root, player, share, x, references, out
):
    """Add to `out` (n, players) the summed Shapley values of every row against every reference.

    Where row and reference part at a split, both ways are walked: one with the row's value of this player, one with the
    reference's. A leaf reached with the row's value of a players and the reference's of c others is the row's with
    weight `share[a, c]` for each of the a, and against it with `share[c, a]` for each of the c.
    """
    side = np.zeros(out.shape[1], np.int8)  # 1: the row's value is used, 2: the reference's
    taken = np.empty(out.shape[1] + 1, np.int64)
    stack = np.empty((len(feature) + 2, 4), np.int64)
    for i in range(len(x)):
        for r in range(len(references)):
            for tree in range(len(root)):
                count, waiting = 0, 1
                stack[0, 0], stack[0, 1], stack[0, 2] = root[tree], 0, -1
                while waiting:
                    waiting -= 1
                    node, depth, new, way = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2], stack[waiting, 3]
                    while count > depth:
                        count -= 1
                        side[taken[count]] = 0
                    if new >= 0:
                        taken[count], side[new] = new, way
                        count += 1
                    while feature[node] >= 0:
                        one = _next(feature, threshold, left, right, missing_left, node, x[i])
                        other = _next(feature, threshold, left, right, missing_left, node, references[r])
                        who = player[feature[node]]
                        if one == other or side[who] == 1:
                            node = one
                        elif side[who] == 2:
                            node = other
                        else:
                            stack[waiting, 0], stack[waiting, 1] = other, count
                            stack[waiting, 2], stack[waiting, 3] = who, 2
                            waiting += 1
                            taken[count], side[who] = who, 1
                            count += 1
                            node = one
                    _credit(taken, side, count, share, value[node], out[i])
                while count:
                    count -= 1
                    side[taken[count]] = 0


@numba.njit(cache=True)
def _next(feature, threshold, left, right, missing_left, node, row):  # type: ignore[no-untyped-def]
    value = row[feature[node]]
    if value < threshold[node] or (missing_left[node] and value != value):
        return left[node]
    return right[node]


@numba.njit(cache=True)
def _credit(taken, side, count, share, value, out):  # type: ignore[no-untyped-def]
    own = 0
    for at in range(count):
        own += side[taken[at]] == 1
    others = count - own
    for at in range(count):
        if side[taken[at]] == 1:
            out[taken[at]] += value * share[own, others]
        else:
            out[taken[at]] -= value * share[others, own]
