"""What a chat service said in a run, in figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.load import Spoken, Spread
from temper.traffic.chat import BROKE_OFF, EMPTY, ERROR, STALLED
from temper.traffic.played import Played

Array = np.ndarray[Any, Any]


def spoken(played: Played, seconds: float) -> Spoken | None:
    """The figures; None where it was no chat."""
    talk = played.talk
    if talk is None:
        return None
    well = played.status == 200
    kept = ~played.shed
    several = well & (talk.tokens > 1)
    each = (talk.last - talk.first)[several] / (talk.tokens[several] - 1)
    ended = talk.ended[well]
    marks = {mark: int((played.marks == mark).sum()) for mark in (BROKE_OFF, ERROR, STALLED, EMPTY)}
    return Spoken(
        first=spread(np.where(well, talk.first - played.due, np.inf)[kept]),
        whole=spread(np.where(well, talk.ended - played.due, np.inf)[kept]),
        each=spread(each[each > 0]),
        tokens=int(np.maximum(talk.tokens[well], 0).sum()),
        span=max(seconds, float(ended.max())) if len(ended) else seconds,
        told=int((talk.told[well] == 1).sum()),
        guessed=int(((talk.told == 0) & (talk.tokens >= 0))[well].sum()),
        unknown=int((talk.tokens[well] < 0).sum()),
        broke_off=marks[BROKE_OFF],
        errors=marks[ERROR],
        stalled=marks[STALLED],
        empty=marks[EMPTY],
    )


def spread(times: Array) -> Spread:
    """Quantiles by rank, and the ends of the median by order statistics; what never came is infinite.

    >>> spread(np.array([3.0, 1.0, 2.0, np.inf])).p50
    2.0
    """
    ordered = np.sort(times)
    n = len(ordered)
    by = 1.96 * np.sqrt(n) / 2
    return Spread(
        n=n,
        p50=ranked(ordered, 0.5 * n),
        p95=ranked(ordered, 0.95 * n),
        p99=ranked(ordered, 0.99 * n),
        low=ranked(ordered, 0.5 * n - by),
        high=ranked(ordered, 0.5 * n + by),
    )


def ranked(ordered: Array, rank: float) -> float | None:
    """The value of this rank, counted from one; None where there is none or it never came."""
    if not len(ordered):
        return None
    value = ordered[min(max(int(np.ceil(rank)) - 1, 0), len(ordered) - 1)]
    return float(value) if np.isfinite(value) else None
