"""When requests are due: a rate that changes over time, evenly or at random, or the times of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.errors import TemperError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Some seconds in which the rate goes in a straight line from `start` to `end` requests a second."""

    seconds: float
    start: float
    end: float

    @property
    def many(self) -> float:
        """Requests that are expected."""
        return self.seconds * (self.start + self.end) / 2


def constant(rate: float, seconds: float) -> tuple[Phase, ...]:
    """The same rate throughout."""
    return (Phase(seconds=seconds, start=rate, end=rate),)


def ramp(start: float, end: float, seconds: float) -> tuple[Phase, ...]:
    """From one rate to the other in a straight line."""
    return (Phase(seconds=seconds, start=start, end=end),)


def steps(rates: Sequence[float], seconds: float) -> tuple[Phase, ...]:
    """Every rate for an equal part of the time."""
    return tuple(phase for rate in rates for phase in constant(rate, seconds / len(rates)))


def spike(rate: float, times: float, seconds: float) -> tuple[Phase, ...]:
    """`times` the rate in the middle fifth of the time."""
    around = constant(rate, 0.4 * seconds)
    return (*around, *constant(rate * times, 0.2 * seconds), *around)


def due(phases: Sequence[Phase], rng: np.random.Generator | None = None) -> Array:
    """Seconds from the start at which requests are due: evenly, or with `rng` at random (a Poisson process, given that
    as many come as are expected: so short runs differ in when requests come and not in how many).

    >>> due(constant(4.0, 1.0))
    array([0.  , 0.25, 0.5 , 0.75])
    >>> due(ramp(0.0, 4.0, 2.0)).round(2)
    array([0.  , 1.  , 1.41, 1.73])
    """
    total = sum(phase.many for phase in phases)
    if rng is None:
        counts = np.arange(int(total + 1e-9), dtype=np.float64)
    else:
        counts = np.sort(rng.uniform(0.0, total, size=round(total)))
    parts, before, start = [], 0.0, 0.0
    for phase in phases:
        inside = counts[(counts >= before) & (counts < before + phase.many)] - before
        parts.append(start + _when(phase, inside))
        before, start = before + phase.many, start + phase.seconds
    return np.concatenate(parts)


def _when(phase: Phase, counts: Array) -> Array:
    """The inverse of how many requests a phase has seen so far."""
    slope = (phase.end - phase.start) / phase.seconds
    if not len(counts):
        return counts
    if abs(slope) * phase.seconds < 1e-9 * max(phase.start, phase.end):
        found: Array = counts / phase.start
        return found
    root = np.sqrt(np.maximum(phase.start**2 + 2 * slope * counts, 0.0))
    found = 2 * counts / np.maximum(phase.start + root, 1e-300)
    return found


def arrivals(rate: float, seconds: float, rng: np.random.Generator, *, poisson: bool = True) -> Array:
    """When requests are due, in seconds from the start: at random with this mean rate, or evenly.

    >>> arrivals(4.0, 1.0, np.random.default_rng(0), poisson=False)
    array([0.  , 0.25, 0.5 , 0.75])
    """
    return due(constant(rate, seconds), rng if poisson else None)


def recorded(path: Path, speed: float = 1.0) -> Array:
    """The times of a recording, one a line, in seconds (of any clock), replayed `speed` times as fast.

    Errors: a file with no time, or with a line that is none, is refused with the line.
    """
    times: list[float] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            times.append(float(line))
        except ValueError:
            times.append(np.nan)
        if not np.isfinite(times[-1]):
            raise TemperError(f"{path}:{number}: {line[:40]!r} is no time", fix="write one time in seconds a line")
    if not times:
        raise TemperError(f"{path} holds no time", fix="write one time in seconds a line")
    ordered = np.sort(np.array(times))
    found: Array = (ordered - ordered[0]) / speed
    return found
