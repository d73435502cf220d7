"""Compiled steps along one client's queries; imported only where queries are watched."""

from __future__ import annotations

import numba
import numpy as np

from temper.kernels._jit_ecod import tail_sums
from temper.kernels._jit_steps import STEPS, repeated

_GAP, _NOUGHT, _LAST = np.uint8(255), np.uint8(0), 239
_FIT = 257  # columns, each at most 255 away
RECENT, GRAIN = 4, 8
_TO, _MIX = np.uint64(1099511628211), np.uint64(14695981039346656037)


@numba.njit(cache=True)
def _nearest(code, ring, filled, numbers, away, part):  # type: ignore[no-untyped-def]
    """The smallest distance, in bytes, of a coded row to the first `filled` of a ring (d, m), ranks apart, or 255 per
    category, and the place of that row. `away` (m,) and `part` (m,) are room to count in: the distances of so many
    columns as fit into 16 bits, of which the processor adds many at once.
    """
    away[:filled] = 0
    for start in range(0, len(code), _FIT):
        part[:filled] = 0
        for at in range(start, min(start + _FIT, len(code))):
            own, line = code[at], ring[at]
            if at < numbers:
                for row in range(filled):
                    part[row] += max(own, line[row]) - min(own, line[row])
            else:
                for row in range(filled):
                    part[row] += _GAP if own != line[row] else _NOUGHT
        for row in range(filled):
            away[row] += part[row]
    least, place = away[:filled].min(), 0
    while away[place] != least:
        place += 1
    return least, place


@numba.njit(cache=True)
def _apart(code, ring, place, numbers):  # type: ignore[no-untyped-def]
    """The distance of a coded row to one row of a ring."""
    total = np.int32(0)
    for at in range(len(code)):
        if at < numbers:
            total += abs(np.int32(code[at]) - np.int32(ring[at, place]))
        else:
            total += 255 * np.int32(code[at] != ring[at, place])
    return total


@numba.njit(cache=True)
def _back(code, ring, count, filled, numbers, reference, away, part, values):  # type: ignore[no-untyped-def]
    """How much nearer the last few rows are on average, and the nearest of all that are kept, than the nearest of some
    ordinary rows: where these lie close together, small steps say nothing. Gives how far that one is, and the place of
    the nearest that is kept.
    """
    recent, usual = 0, _nearest(code, reference, reference.shape[1], numbers, away, part)[0] + GRAIN
    for back in range(1, RECENT + 1):
        recent += _apart(code, ring, (count - back) % ring.shape[1], numbers) + GRAIN
    values[0] = RECENT * usual / recent
    near, place = _nearest(code, ring, filled, numbers, away, part)
    values[1] = usual / (near + GRAIN)
    return usual, place


@numba.njit(cache=True)
def steps_back(code, rings, numbers, reference, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n, 3) with what each row's own ring (n, d, m) of earlier rows says about it, and with how far the
    nearest ordinary row is.
    """
    filled = rings.shape[2]
    most = max(filled, reference.shape[1])
    away, part = np.empty(most, np.int32), np.empty(most, np.uint16)
    for row in range(len(code)):
        out[row, 2] = _back(code[row], rings[row], filled, filled, numbers, reference, away, part, out[row])[0]


@numba.njit(cache=True)
def _stepped(x, order, count, place, known, steps, masks, logs):  # type: ignore[no-untyped-def]
    """What the step from the nearest own row says beside earlier ones, NaN before there are enough; it becomes the last
    of them.
    """
    step, made = np.empty(known.shape[1], np.float32), count - RECENT
    for at in range(len(step)):
        step[at] = abs(x[order[at]] - known[place, at])
    found = repeated(step, steps, masks, logs) if made >= STEPS else np.nan
    steps[:, made % STEPS] = step
    return found


@numba.njit(cache=True)
def step_values(x, code, order, numbers, capacity, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with what the steps of one client with these rows say, of whom nothing was known."""
    ring, away = np.zeros((code.shape[1], capacity), np.uint8), np.empty(capacity, np.int32)
    part = np.empty(capacity, np.uint16)
    known, steps = np.zeros((capacity, numbers), np.float32), np.zeros((numbers, STEPS), np.float32)
    masks, logs = np.empty(STEPS, np.uint64), np.empty(numbers)
    for row in range(len(x)):
        out[row] = np.nan
        if row >= RECENT:
            place = _nearest(code[row], ring, min(row, capacity), numbers, away, part)[1]
            out[row] = _stepped(x[row], order, row, place, known, steps, masks, logs)
        ring[:, row % capacity] = code[row]
        for at in range(numbers):
            known[row % capacity, at] = x[row, order[at]]


@numba.njit(cache=True)
def _encode(x, knots, order, numbers, code):  # type: ignore[no-untyped-def]
    for at in range(len(order)):
        value = x[order[at]]
        if value != value:
            code[at] = _GAP
        elif at < numbers:
            low, high = 0, _LAST
            while low < high:
                middle = (low + high) // 2
                if knots[at, middle] <= value:
                    low = middle + 1
                else:
                    high = middle
            code[at] = low
        else:
            code[at] = min(max(value, 0), 254)


@numba.njit(cache=True)
def _name(x):  # type: ignore[no-untyped-def]
    """A hash of the row's bytes (Fowler, Noll & Vo), never zero."""
    name, words = _MIX, x.view(np.uint32)
    for at in range(len(words)):
        name = (name ^ np.uint64(words[at])) * _TO
    name ^= name >> np.uint64(29)
    return name | np.uint64(1)


@numba.njit(cache=True)
def _bet(edges, factors, value):  # type: ignore[no-untyped-def]
    """The factor of the bin a value falls into."""
    at = 0
    while at < len(edges) and value > edges[at]:
        at += 1
    return factors[at]


@numba.njit(cache=True)
def _among(names, ring, filled, name, code):  # type: ignore[no-untyped-def]
    """Whether the row is one of the ring: a hash can be made to meet another's, bytes that differ as well cannot."""
    for at in range(filled):
        if names[at] == name:
            same = True
            for column in range(len(code)):
                same &= ring[column, at] == code[column]
            if same:
                return True
    return False


@numba.njit(cache=True)
def _gained(code, bins, parent, gain):  # type: ignore[no-untyped-def]
    """How much likelier the row is under the tree than with independent columns."""
    total = np.float64(0.0)
    for at in range(len(code)):
        total += gain[at, bins[at, code[at]], bins[parent[at], code[parent[at]]]]
    return total


@numba.njit(cache=True)
def _wager(values, filled, edges, factors, trail, most):  # type: ignore[no-untyped-def]
    """Begin a bet of each kind, and multiply all that were begun; with too few earlier rows nothing is near."""
    for kind in range(len(values) if filled >= RECENT else 2):
        at = kind
        if kind == 3:
            while 4 ** (at - 2) < filled and at < len(edges) - 2:
                at += 1
        if kind == 4:
            at = len(edges) - 1
        if values[kind] != values[kind]:
            continue
        trail[2 + kind] = min((1.0 + trail[2 + kind]) * _bet(edges[at], factors[at], values[kind]), most)


@numba.njit(cache=True)
def follow(  # type: ignore[no-untyped-def]
    x,
    knots,
    bins,
    order,
    numbers,
    parent,
    gain,
    tables,
    columns,
    edges,
    factors,
    reference,
    ring,
    known,
    steps,
    names,
    trail,
    most,
    out,
):
    """Follow rows (n, d) of one client: `ring`, `known` and `names` hold its last distinct rows as bytes, numbers and
    hashes, `steps` how far each of the last was from its nearest; `trail` counts them, what it repeated, and the
    evidence of each kind; `out` (n,) is the mean evidence after each row, and the largest is given.
    """
    capacity, code = len(names), np.empty(x.shape[1], np.uint8)
    most_rows = max(capacity, reference.shape[1])
    away, part = np.empty(most_rows, np.int32), np.empty(most_rows, np.uint16)
    masks, logs = np.empty(STEPS, np.uint64), np.empty(known.shape[1])
    tail, values, largest = np.empty(1), np.empty(len(trail) - 2), 0.0
    for row in range(len(x)):
        name = _name(x[row])
        count = np.int64(trail[0])
        filled = count if count < capacity else capacity
        _encode(x[row], knots, order, numbers, code)
        if _among(names, ring, filled, name, code):
            trail[1] += 1
        else:
            tail_sums(x[row : row + 1], tables, columns, tail)
            values[0], values[1] = -_gained(code, bins, parent, gain), tail[0]
            if filled >= RECENT:
                place = _back(code, ring, count, filled, numbers, reference, away, part, values[2:])[1]
                values[4] = _stepped(x[row], order, count, place, known, steps, masks, logs)
            ring[:, count % capacity], names[count % capacity] = code, name
            for at in range(numbers):
                known[count % capacity, at] = x[row, order[at]]
            trail[0] += 1
            _wager(values, filled, edges, factors, trail, most)
        out[row] = np.mean(trail[2:])
        largest = max(largest, out[row])
    return largest
