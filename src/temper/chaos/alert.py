"""When the alerts of an error budget would have told: burn rates over two windows, made shorter for short drills."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from temper.chaos.arithmetic import Buckets
from temper.kernels.burn import burning, sums

HOUR = 3_600.0
LEAST = 10
"""Requests in the shorter window below which no alert is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Alert when the budget burns at least `burn` times as fast as it may, over `long` and over `short` seconds."""

    name: str
    burn: float
    long: float
    short: float


RULES = (
    Rule(name="page", burn=14.4, long=HOUR, short=HOUR / 12),
    Rule(name="page, slower", burn=6.0, long=6 * HOUR, short=HOUR / 2),
    Rule(name="ticket", burn=1.0, long=72 * HOUR, short=6 * HOUR),
)
"""Source: Beyer et al., "The site reliability workbook", 2018, chapter 5 (multiwindow, multi-burn-rate alerts)."""
ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule that spoke, so many seconds from the start."""

    rule: str
    at: float


def compression(seconds: float) -> float:
    """The factor for all windows at which 6 hours become a drill of so many seconds.

    >>> compression(21.6)
    0.001
    """
    return seconds / (6 * HOUR)


def alerts(buckets: Buckets, slo: float, factor: float, since: float = 0.0) -> tuple[Alert, ...]:
    """The first word of every rule after `since`, at the end of the bucket that made it speak; and of the rule
    `absent`, when for a whole shorter window of the page nobody was heard at all; where fewer than ten would have been,
    for as long as it takes ten.

    A window that reaches back before the start holds what there was.
    """
    found = [Alert(rule=rule.name, at=at) for rule in RULES if (at := _first(buckets, rule, slo, factor, since))]
    mean = float(buckets.asked.mean()) if len(buckets.asked) else 0.0
    quiet = math.ceil(LEAST / mean) if mean else 0  # so long that silence is no chance
    silent = _silent(buckets, max(quiet, _size(RULES[0].short, factor, buckets.width)), since)
    if silent is not None:
        found.append(Alert(rule=ABSENT, at=silent))
    return tuple(sorted(found, key=lambda alert: alert.at))


def _first(buckets: Buckets, rule: Rule, slo: float, factor: float, since: float) -> float | None:
    sizes = (_size(rule.long, factor, buckets.width), _size(rule.short, factor, buckets.width))
    speaks = burning(buckets.asked, buckets.good, slo, rule.burn, sizes, LEAST)
    ends = (round(end * buckets.width, 9) for end in (np.flatnonzero(speaks) + 1).tolist())
    return next((at for at in ends if at >= since), None)


def _silent(buckets: Buckets, size: int, since: float) -> float | None:
    asked = sums(buckets.asked)
    for end in range(size, len(asked)):
        at = round(end * buckets.width, 9)
        if at >= since and asked[end] == asked[end - size]:
            return at
    return None


def _size(span: float, factor: float, width: float) -> int:
    return max(1, math.ceil(round(span * factor / width, 6)))
