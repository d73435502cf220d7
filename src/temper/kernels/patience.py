"""Cases that wait for somebody to look at them, and are not looked at in time."""

from __future__ import annotations

import math


def lapsing(arrivals: float, served: float, patience: float) -> float:
    """The share of cases that nobody begins to look at within `patience`, where so many come and so many can be looked
    at in the same unit of time, each at random moments: the queue M/M/1 with a deadline for the wait.

    Misleads where cases come in bursts, or people work by the day: then more lapse. Many people are one desk here.
    Source: Barrer, "Queuing with impatient customers and ordered service", 1957.

    >>> [round(lapsing(one, 100.0, 0.04), 3) for one in (50.0, 100.0, 200.0)]
    [0.035, 0.167, 0.502]
    """
    if arrivals <= 0:
        return 0.0
    if served <= 0:
        return 1.0
    load, gap = arrivals / served, (served - arrivals) * patience
    if abs(1.0 - load) < 1e-9:
        return 1.0 / (2.0 + arrivals * patience)
    if gap > 0:
        left = math.exp(-gap)
        return (1.0 - load) * load * left / (1.0 - load * load * left)
    left = math.exp(gap)  # of the other side, so that nothing overflows
    return (1.0 - load) * load / (left - load * load)
