"""A run in figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.load import Limit, Moment, Trial
from temper.traffic.played import LATE, Played
from temper.traffic.spoken import ranked, spoken

Array = np.ndarray[Any, Any]
Play = Callable[[Array], Played]
"""Sends requests at these times."""


def weighed(played: Played, seconds: float, limit: Limit) -> Trial:
    """The figures of a run whose requests were due within so many seconds.

    Errors: a run whose generator was too late itself is refused, for its times say nothing about the service.
    """
    n = len(played.due)
    if not played.trusted(limit.seconds):
        raise Late(played, n / seconds, limit)
    good, well, shed = played.good(limit.seconds), played.status == 200, played.shed
    waits = np.sort(np.where(well, played.done - played.due, np.inf)[~shed])
    spread = 1.96 * np.sqrt(len(waits) * 0.99 * 0.01)
    p99, low, high = (ranked(waits, 0.99 * len(waits) + by) for by in (0.0, -spread, spread))
    service = played.service[(played.status == 200)[played.status > 0]]
    return Trial(
        rate=n / seconds,
        seconds=seconds,
        requests=n,
        good=int(good.sum()),
        late=int((well & ~good).sum()),
        shed=int(shed.sum()),
        failed=int((~well & ~shed).sum()),
        unsent=played.unsent,
        p50=ranked(waits, 0.5 * len(waits)),
        p99=p99,
        p99_low=low,
        p99_high=high,
        service_p99=float(np.quantile(service, 0.99)) if len(service) else None,
        mean=float((played.done - played.due)[well].mean()) if well.any() else None,
        held=played.held,
        lateness=float(np.quantile(played.lateness, 0.99)),
        cpu=played.cpu / n,
        refused=played.refused,
        grown=_in_work(played, seconds) - _in_work(played, seconds / 2),
        spoken=spoken(played, seconds),
    )


class Late(TemperError):
    """The generator could not keep its own times."""

    def __init__(self, played: Played, rate: float, limit: Limit) -> None:
        late = played.lateness
        told = f"{1e3 * float(np.quantile(late, 0.99)):.1f} ms" if len(late) else "without end"
        super().__init__(
            f"the generator itself was late at {rate:,.0f} requests a second (p99 {told}, allowed are "
            f"{1e3 * LATE * limit.seconds:.1f} ms)",
            fix="nothing is graded: use more --generators, another machine than the service's, or a larger limit",
        )


def timeline(played: Played, seconds: float, limit: Limit, width: float = 0.25) -> tuple[Moment, ...]:
    """The run in short times, by when requests were due."""
    found = []
    for at in np.arange(0.0, seconds - 1e-9, width):
        first, last = np.searchsorted(played.due, (at, at + width))
        part = played.take(np.arange(first, last))
        good, shed = int(part.good(limit.seconds).sum()), int(part.shed.sum())
        n, response = len(part.due), part.response
        found.append(
            Moment(
                at=float(at),
                offered=n / width,
                good=good / width,
                shed=shed / width,
                failed=(n - good - shed) / width,
                p99=float(np.quantile(response, 0.99)) if len(response) else None,
            )
        )
    return tuple(found)


def _in_work(played: Played, at: float) -> int:
    """Requests that were due by then and not over; what was never answered stays."""
    return int((played.due <= at).sum() - (played.done <= at).sum())
