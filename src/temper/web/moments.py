"""Times and spans of time as a person reads them; the clock is passed in."""

from __future__ import annotations

import math
from datetime import UTC, datetime

SOON = 15 * 60.0
"""What is due within so many seconds is shown as urgent."""
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def span(seconds: float) -> str:
    """A span in its largest unit.

    >>> span(30), span(90), span(7_300), span(200_000)
    ('30 s', '1 min', '2 h', '2 d')
    """
    seconds = abs(seconds)
    for size, name in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {name}"
    return f"{seconds:.0f} s"


def ago(at: float, now: float) -> str:
    """When something was, or will be: clocks differ, and some feeds run ahead.

    >>> ago(40.0, 100.0), ago(100.0, 40.0)
    ('1 min ago', 'in 1 min')
    """
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"


def due(at: float, now: float) -> str:
    """When something is due, seen from now.

    >>> due(100.0, 40.0), due(100.0, 400.0), due(math.inf, 0.0)
    ('in 1 min', '5 min late', 'no due time')
    """
    if not math.isfinite(at):
        return "no due time"
    return f"in {span(at - now)}" if at > now else f"{span(now - at)} late"


def lateness(at: float, now: float) -> str:
    """`late`, `soon` or `fine`.

    >>> lateness(100.0, 200.0), lateness(1_000.0, 200.0), lateness(5_000.0, 200.0)
    ('late', 'soon', 'fine')
    """
    return "late" if at <= now else "soon" if at - now <= SOON else "fine"


def clock(at: float) -> str:
    """Day and time in UTC.

    >>> clock(0.0)
    '1970-01-01 00:00:00 UTC'
    """
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "–"
