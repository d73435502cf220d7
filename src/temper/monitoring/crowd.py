"""Rows that crowd just below the threshold: in one window, and what many windows have gathered against chance.

A campaign of one row in a hundred is within chance in every window. Its windows are not within chance together: the
evidence of each multiplies, from every window at which the campaign could have begun, and adds up over these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from temper.core.moved import Moved
from temper.kernels.rate import clopper_pearson
from temper.monitoring.reference import SIDE, WIDTHS, Reference, Window

Array = np.ndarray[Any, Any]
Counts = tuple[int, ...]
_TIMES = (1.25, 1.6, 2.5, 5.0)
"""How many times too many rows are bet on, beyond the bend that is no alarm."""
_SURE, _MOST = 0.95, 30.0  # of what the reference promises; the largest logarithm that one window may add


def near(window: Window) -> Iterator[tuple[Counts, Counts]]:
    """Rows below the band, in it, and above the threshold, in the reference and in the window, width by width.

    The reference has knots where these begin and end, so the sums meet them exactly.
    """
    known = window.reference
    if not known.scored:
        return
    column = len(known.cells) - 1
    places, knots = known.cells.places(column), known.cells.of(column)
    before, now = (np.append(0, np.cumsum(tally.counts[places])) for tally in (known.tally, window.tally))
    threshold = 2 * int(np.searchsorted(knots, np.float32(known.threshold))) + 1
    for width in WIDTHS:
        many = max(1, round(width * int(before[-1])))
        ranks = before[threshold] - np.array([(1 + SIDE) * many, many, 0, -SIDE * many])
        if ranks[0] < 0 or before[threshold] == before[-1]:
            continue
        ends = np.searchsorted(before, ranks, side="right") - 1
        yield tuple(np.diff(before[ends]).tolist()), tuple(np.diff(now[ends]).tolist())


def gathered(window: Window, before: Sequence[float], tolerance: float = 1.1) -> tuple[float, ...]:
    """The evidence of all windows up to this one, a number for each width and each excess that is bet on.

    A bet multiplies by one at most on average while one of the neighbours keeps its promise, which is the share of the
    band in the reference, at its upper end, times `tolerance`; which neighbour does may change from window to window.
    So what is added up over all beginnings grows by one a window on average, and passes c in one window of c at most
    (Shiryaev and Roberts' detector).
    Source: Shin, Ramdas & Rinaldo, "E-detectors", 2023; Pollak, "Optimal detection of a change in distribution", 1985.
    """
    counts = list(near(window))
    if not counts:
        return ()
    bets = np.concatenate([_bets(known, now, tolerance) for known, now in counts])
    begins = np.repeat([float(any(now)) for _, now in counts], len(_TIMES))  # where no row says anything, none does
    carried = np.array(before) if len(before) == len(bets) else np.zeros(len(bets))
    return tuple(((begins + carried) * bets).tolist())


def _bets(known: Counts, now: Counts, tolerance: float) -> Array:
    """What each bet multiplies by: the less of both sides."""
    times, least = np.array(_TIMES), np.full(len(_TIMES), _MOST)
    for side in (0, 2):
        share = clopper_pearson(known[1], known[1] + known[side], _SURE, "upper")[1] if known[side] else 1.0
        if share >= 1.0:
            return np.zeros(len(times))  # without neighbours nothing is promised, so nothing is bet
        odds = tolerance * share / (1.0 - share)
        least = np.minimum(
            least, now[1] * np.log(times) - (now[1] + now[side]) * np.log((1.0 + times * odds) / (1.0 + odds))
        )
    return np.asarray(np.exp(least))


def persistent(evidence: Sequence[float], known: Reference) -> Moved:
    """What the score says by it: p, one over the evidence, is reached by no more than that share of all windows."""
    if not evidence:
        return Moved(columns=np.zeros(0, np.int64), values=np.zeros(0), p=np.zeros(0))
    value = float(np.mean(evidence))
    p = min(1.0, 1.0 / max(value, 1.0))
    return Moved(columns=np.array([len(known.cells) - 1]), values=np.array([value]), p=np.array([p]))
