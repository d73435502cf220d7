"""Compiled growth of trees whose splits are scored after an attacker has moved every row he can move across them.

Columns are bins, (d, n) bytes: `low`, `own` and `high` are a row's lowest, true and highest bin within its box; 255 is
missing. Cut k sends bins up to k left. `y` is 0 or 1; a row of class 1 is moved to the lower side, of class 0 to the
higher.
"""

from __future__ import annotations

import numba
import numpy as np

MISSING = 255
_SUMS = 8  # (gradient, curvature) by class, once at the lowest and once at the highest bin


@numba.njit(cache=True)
def side(held, place):  # type: ignore[no-untyped-def]
    """(gradient, curvature) of both classes together from a row of sums."""
    return held[place] + held[place + 2], held[place + 1] + held[place + 3]


@numba.njit(cache=True)
def gain(left_g, left_h, right_g, right_h, ridge):  # type: ignore[no-untyped-def]
    """How much a Newton step on two sides saves over one step on both together, doubled."""
    whole = (left_g + right_g) ** 2 / (left_h + right_h + ridge)
    return left_g**2 / (left_h + ridge) + right_g**2 / (right_h + ridge) - whole


@numba.njit(cache=True)
def robust_gain(kept, moved, ridge, light):  # type: ignore[no-untyped-def]
    """(gain, whether left is the lower side) after the worst moves; 0 where they can make both sides alike.

    `kept`: (gradient, curvature) certainly left, then certainly right; `moved`: of class 0, then of class 1, either.
    """
    for left_low in (True, False):
        first, second = (2, 0) if left_low else (0, 2)
        left_g, left_h = kept[0] + moved[first], kept[1] + moved[first + 1]
        right_g, right_h = kept[2] + moved[second], kept[3] + moved[second + 1]
        if left_h < light or right_h < light or left_h <= 0.0 or right_h <= 0.0:
            continue
        left, right = -left_g / (left_h + ridge), -right_g / (right_h + ridge)
        if left < right if left_low else left > right:
            return gain(left_g, left_h, right_g, right_h, ridge), left_low
    return 0.0, True


@numba.njit(cache=True)
def _fill(held, lost, low, high, g, h, y, place):  # type: ignore[no-untyped-def]
    """Sums per node and bin of one column, those of missing values apart."""
    held[:], lost[:] = 0.0, 0.0
    for row in range(len(g)):
        node = place[row]
        if node < 0:
            continue
        part = 2 * y[row]
        if low[row] == MISSING:
            lost[node, 0] += g[row]
            lost[node, 1] += h[row]
            continue
        held[node, low[row], part] += g[row]
        held[node, low[row], part + 1] += h[row]
        held[node, high[row], 4 + part] += g[row]
        held[node, high[row], 5 + part] += h[row]


@numba.njit(cache=True)
def _scan(held, lost, first, last, ridge, light, best):  # type: ignore[no-untyped-def]
    """Put the best cut of one node and column into `best`: gain, cut, missing goes left, left is the lower side."""
    total, below = np.zeros(_SUMS), np.zeros(_SUMS)
    for bin_ in range(len(held)):
        for at in range(_SUMS):
            total[at] += held[bin_, at]
    kept, moved = np.empty(4), np.empty(4)
    for cut in range(last):
        for at in range(_SUMS):
            below[at] += held[cut, at]
        if cut < first:
            continue
        for at in range(4):
            moved[at] = below[at] - below[4 + at]
        left_g, left_h = side(below, 4)
        maybe_g, maybe_h = side(below, 0)
        all_g, all_h = side(total, 0)
        for missing_left in range(2 if lost[1] > 0.0 else 1):
            kept[0], kept[1] = left_g + missing_left * lost[0], left_h + missing_left * lost[1]
            kept[2] = all_g - maybe_g + (1 - missing_left) * lost[0]
            kept[3] = all_h - maybe_h + (1 - missing_left) * lost[1]
            found, left_low = robust_gain(kept, moved, ridge, light)
            if found > best[0]:
                best[0], best[1], best[2], best[3] = found, cut, missing_left, left_low


@numba.njit(cache=True)
def _best(low, high, g, h, y, place, nodes, bins, chosen, ends, ridge, light, least):  # type: ignore[no-untyped-def]
    """Per open node: gain, cut, missing goes left, left is lower, column (-1 for none)."""
    best = np.zeros((len(nodes), 5))
    best[:, 0], best[:, 4] = least, -1.0
    lost = np.empty((len(nodes), 2))
    for column in range(len(low)):
        if bins[column] < 2:
            continue
        held = np.empty((len(nodes), bins[column], _SUMS))
        _fill(held, lost, low[column], high[column], g, h, y, place)
        for at in range(len(nodes)):
            node, before = nodes[at], best[at, 0]
            if chosen[node, column]:
                first, last = ends[node, column, 0], ends[node, column, 1]
                _scan(held[at], lost[at], first, last, ridge, light, best[at])
                if best[at, 0] > before:
                    best[at, 4] = column
    return best


@numba.njit(cache=True)
def goes_left(low, own, high, one, cut, missing_left, left_low, moving):  # type: ignore[no-untyped-def]
    """Where a row goes at a cut: where it must, where it is, or (`moving`) where it harms most."""
    if low == MISSING:
        return missing_left
    if high <= cut:
        return True
    if low > cut:
        return False
    if moving:
        return (one == 1) == left_low
    return own <= cut


@numba.njit(cache=True)
def _place(low, own, high, y, place, best, children, moving):  # type: ignore[no-untyped-def]
    """Send every row of an open node to its child's place in the next level; -1 where the node is a leaf."""
    for row in range(len(y)):
        at = place[row]
        if at < 0:
            continue
        column = int(best[at, 4])
        if column < 0:
            place[row] = -1
            continue
        left = goes_left(
            low[column, row],
            own[column, row],
            high[column, row],
            y[row],
            best[at, 1],
            best[at, 2] > 0.0,
            best[at, 3] > 0.0,
            moving,
        )
        place[row] = children[at] if left else children[at] + 1


@numba.njit(cache=True)
def _value(g, h, place, nodes, ridge, value):  # type: ignore[no-untyped-def]
    """The Newton step of every open node from the rows in it."""
    sums = np.zeros((len(nodes), 2))
    for row in range(len(g)):
        if place[row] >= 0:
            sums[place[row], 0] += g[row]
            sums[place[row], 1] += h[row]
    for at in range(len(nodes)):
        if sums[at, 1] + ridge > 0.0:
            value[nodes[at]] = -sums[at, 0] / (sums[at, 1] + ridge)


@numba.njit(cache=True)
def _open(nodes, best, feature, cut, left, missing_left, ends, count):  # type: ignore[no-untyped-def]
    """Write the splits of a level; the children's nodes and, per node, the place of its left child among them."""
    fresh, children = np.empty(2 * len(nodes), np.int64), np.full(len(nodes), -1, np.int64)
    made = 0
    for at in range(len(nodes)):
        column = int(best[at, 4])
        if column < 0:
            continue
        node, here = nodes[at], count + made
        feature[node], cut[node], left[node], missing_left[node] = column, int(best[at, 1]), here, best[at, 2] > 0.0
        for child in range(2):
            ends[here + child] = ends[node]
            fresh[made + child] = here + child
        ends[here, column, 1] = cut[node]
        ends[here + 1, column, 0] = cut[node] + 1
        children[at] = made
        made += 2
    return fresh[:made], children


@numba.njit(cache=True)
def grow(low, own, high, g, h, y, bins, chosen, depth, ridge, light, least, moving):  # type: ignore[no-untyped-def]
    """One tree level by level: (feature, cut, left child, missing goes left, value); right is the one after left.

    `chosen` (nodes, d): the columns each node may split on. `light`: least curvature of a side. `moving`: rows an
    attacker can send either way go where they harm most; else they stay where they are.
    """
    size = len(chosen)
    feature, cut, left = np.full(size, -1, np.int32), np.zeros(size, np.int32), np.zeros(size, np.int32)
    missing_left, value = np.zeros(size, np.bool_), np.zeros(size)
    ends = np.zeros((size, len(low), 2), np.int32)
    ends[0, :, 1] = bins - 1
    nodes, count = np.zeros(1, np.int64), 1
    place = np.where(h > 0.0, 0, -1)
    _value(g, h, place, nodes, ridge, value)
    for _ in range(depth):
        best = _best(low, high, g, h, y, place, nodes, bins, chosen, ends, ridge, light, least)
        nodes, children = _open(nodes, best, feature, cut, left, missing_left, ends, count)
        if len(nodes) == 0:
            break
        count += len(nodes)
        _place(low, own, high, y, place, best, children, moving)
        _value(g, h, place, nodes, ridge, value)
    return feature[:count], cut[:count], left[:count], missing_left[:count], value[:count]


@numba.njit(cache=True)
def values(own, feature, cut, left, missing_left, value, out):  # type: ignore[no-untyped-def]
    """The leaf value of every row where it is."""
    for row in range(len(out)):
        node = 0
        while feature[node] >= 0:
            here = own[feature[node], row]
            turn = missing_left[node] if here == MISSING else here <= cut[node]
            node = left[node] if turn else left[node] + 1
        out[row] = value[node]


@numba.njit(cache=True)
def worst_values(low, high, y, feature, cut, left, missing_left, value, out):  # type: ignore[no-untyped-def]
    """The leaf value within each row's box that harms most: the lowest for class 1, the highest for class 0."""
    stack = np.empty(len(feature) + 1, np.int32)
    for row in range(len(out)):
        stack[0], top, worst = 0, 1, np.inf
        sign = 1.0 if y[row] == 1 else -1.0
        while top > 0:
            top -= 1
            node = stack[top]
            if feature[node] < 0:
                worst = min(worst, sign * value[node])
                continue
            first, last = low[feature[node], row], high[feature[node], row]
            lost = first == MISSING
            if missing_left[node] if lost else first <= cut[node]:
                stack[top] = left[node]
                top += 1
            if not missing_left[node] if lost else last > cut[node]:
                stack[top] = left[node] + 1
                top += 1
        out[row] = sign * worst


@numba.njit(cache=True)
def worst_steps(low, high, y, steps, out):  # type: ignore[no-untyped-def]
    """What one column's step function (one value per bin, missing last) adds at worst within each row's box."""
    for row in range(len(out)):
        if low[row] == MISSING:
            out[row] = steps[-1]
            continue
        worst = steps[low[row]]
        for at in range(low[row] + 1, high[row] + 1):
            worst = min(worst, steps[at]) if y[row] == 1 else max(worst, steps[at])
        out[row] = worst
