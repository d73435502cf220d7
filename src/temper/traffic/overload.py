"""More than a service bears: what it still does, and whether it comes back by itself."""

from __future__ import annotations

from temper.core.load import Limit, Recovery
from temper.traffic.arrivals import Phase, constant
from temper.traffic.played import Played
from temper.traffic.trial import timeline

MULTIPLES = (0.5, 0.9, 1.2, 2.0, 4.0)
"""Of the knee, at which a service is looked at."""
WELL, LASTS = 0.95, 2.0
"""Recovered is a service that answers this share in time again, for so many seconds."""


def phases(knee: float, seconds: float, watched: float, times: float = 4.0) -> tuple[Phase, ...]:
    """Half the knee, then the overload, then half of it again and a look at how it recovers."""
    half = 0.5 * knee
    return (*constant(half, seconds), *constant(times * knee, seconds), *constant(half, watched))


def recovery(played: Played, plan: tuple[Phase, ...], limit: Limit) -> Recovery:
    """When, after the overload, the service answers in time again; a retry storm or a queue that nobody empties
    (a metastable failure) shows as never.

    Source: Bronson et al., "Metastable failures in distributed systems", 2021.
    """
    before, during, after = plan
    start, end = before.seconds, before.seconds + during.seconds
    whole = end + after.seconds
    return Recovery(
        before=before.start,
        during=during.start,
        start=start,
        end=end,
        watched=after.seconds,
        seconds=_back(played, end, whole, limit),
        timeline=timeline(played, whole, limit),
    )


def _back(played: Played, end: float, whole: float, limit: Limit, width: float = 0.1) -> float | None:
    """The first short time after the overload that is good and begins a longer one that is good as a whole."""
    good, at = played.good(limit.seconds), end
    while at <= whole - LASTS + 1e-9:
        now, then = ((played.due >= at) & (played.due < at + long) for long in (width, LASTS))
        if then.any() and good[then].mean() >= WELL and not (now.any() and good[now].mean() < WELL):
            return at - end
        at += width
    return None
