"""How the columns that alarmed lay in the reference and in a window, in few enough bins to be drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.schema import Column, Schema
from temper.core.watch import Shape, Watched
from temper.monitoring.reference import Window

Array = np.ndarray[Any, Any]
MOST, BINS, KINDS = 12, 24, 16
"""Columns of a window, bins of one, and values that have a bin each."""
_TAIL = 0.005
"""The share of both sides together that lies beyond either end."""
_NEAR = 0.12
"""The share of the reference below the threshold that is drawn by itself, and as much above it where there is."""
_OF_SCORES = ("bunching", "trains")


def shapes(window: Window, said: Watched, schema: Schema) -> tuple[Shape, ...]:
    """The shape of each column with an alarm, the loudest first; nothing of a window without one.

    Where scores show a sign of an attack, they are drawn about their threshold, too.
    """
    names = window.reference.names
    alarmed = dict.fromkeys(alarm.column for alarm in said.alarms if alarm.column in names)
    found = [_shape(window, names.index(name), schema) for name in list(alarmed)[:MOST]]
    if window.reference.scored and any(alarm.comparison in _OF_SCORES for alarm in said.alarms):
        found.insert(0, _near(window))
    return tuple(found)


def _shape(window: Window, column: int, schema: Schema) -> Shape:
    known = window.reference
    knots = known.cells.of(column)
    if known.cells.category[column] or len(knots) <= 2 * KINDS:
        return _named(window, column, schema.columns[column] if column < len(schema.columns) else None)
    before, now = _counts(window, column)
    low, high = _ends(before, now)
    places = _grid(knots, low, high)
    if not known.scored or column < len(known.cells) - 1:
        return _cut(window, column, places, None)
    at = int(np.searchsorted(knots, np.float32(known.threshold)))
    return _cut(window, column, np.union1d(places, [at]) if low < at < high else places, known.threshold)


def _near(window: Window) -> Shape:
    """Scores about the threshold, which is an edge."""
    known = window.reference
    column = len(known.cells) - 1
    knots, (before, _) = known.cells.of(column), _counts(window, column)
    upto = np.cumsum(before)[1::2] / max(int(before.sum()), 1)
    at = int(np.searchsorted(knots, np.float32(known.threshold)))
    low = int(np.searchsorted(upto, upto[at] - _NEAR))
    high = min(int(np.searchsorted(upto, upto[at] + _NEAR)), len(knots) - 1)
    edges = np.union1d(_grid(knots, low, at), _grid(knots, at, high))
    return _cut(window, column, edges, known.threshold, part=True)


def _cut(window: Window, column: int, places: Array, threshold: float | None, part: bool = False) -> Shape:
    """The values between the knots at these places, and what lies beyond the first and the last."""
    counts = _counts(window, column)
    known = window.reference
    starts = 2 * places + 1
    starts[-1] += 1  # the last edge belongs to the bin before it
    before, now = (np.diff([0, *np.append(0, np.cumsum(one))[starts], one.sum()]) for one in counts)
    return Shape(
        column=known.names[column],
        edges=tuple(float(f"{edge:.6g}") for edge in known.cells.of(column)[places]),
        before=tuple(before.tolist()),
        now=tuple(now.tolist()),
        missing=_missing(window, column),
        threshold=threshold,
        part=part,
    )


def _named(window: Window, column: int, described: Column | None) -> Shape:
    """A bin for each value of the reference, the commonest of them where there are many, and one for what is new."""
    known = window.reference
    knots, counts = known.cells.of(column), _counts(window, column)
    shown = np.sort(np.argsort(-(counts[0] + counts[1])[1::2], kind="stable")[: 2 * KINDS])
    if known.cells.category[column]:
        shown = shown[np.argsort(-counts[0][1::2][shown], kind="stable")][:KINDS]
    before, now = ([*one[1::2][shown].tolist(), int(one.sum() - one[1::2][shown].sum())] for one in counts)
    values = [float(f"{knot:.6g}") for knot in knots[shown]]
    return Shape(
        column=known.names[column],
        names=(*(described.show(one) if described else f"{one:g}" for one in values), ""),
        before=tuple(before),
        now=tuple(now),
        missing=_missing(window, column),
    )


def _counts(window: Window, column: int) -> tuple[Array, Array]:
    places = window.reference.cells.places(column)
    return window.reference.tally.counts[places], window.tally.counts[places]


def _missing(window: Window, column: int) -> tuple[int, int]:
    return int(window.reference.tally.missing[column]), int(window.tally.missing[column])


def _ends(before: Array, now: Array) -> tuple[int, int]:
    """The knots between which nearly all values of both sides lie."""
    pooled = sum(one / max(int(one.sum()), 1) for one in (before, now))
    upto = np.cumsum(pooled)[1::2] / max(float(np.sum(pooled)), 1e-12)
    low, high = np.searchsorted(upto, [_TAIL, 1.0 - _TAIL])
    last = len(upto) - 1
    return min(int(low), last - 1), max(min(int(high), last), min(int(low), last - 1) + 1)


def _grid(knots: Array, low: int, high: int) -> Array:
    """Knots about equally far apart, from this one to that."""
    wanted = np.linspace(float(knots[low]), float(knots[high]), BINS + 1)
    places = np.unique(np.clip(np.searchsorted(knots, wanted.astype(knots.dtype)), low, high))
    far = np.diff(knots[places].astype(float)) > (wanted[1] - wanted[0]) / 2.0  # else a few rows make a spike
    return places[np.append(True, far)] if far[-1] else np.append(places[:-2][np.append(True, far[:-2])], high)
