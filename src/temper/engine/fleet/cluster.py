"""Where turns are carried out: on a Ray cluster, each by one of its workers, which watches a child on its machine.

A turn whose machine is gone is begun again on another one; what it had finished is in the store. The machines need
Temper, the model's libraries and the files of the systems under the same paths, and a store that all of them reach.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

from temper.core.fleet import Wanted
from temper.engine.executors.ray import joined
from temper.engine.fleet.turn import Taken, take

_RETRIES = 3
_LATE = 120.0
"""Seconds over twice its minutes, which it may need where a machine was lost, after which a turn is given up."""


class Cluster:
    """`address`: a running cluster ("host:port", "auto"), else one on this machine that ends with the fleet."""

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        self._ray, self._mine = joined(address, workers)
        self._remote = self._ray.remote(max_retries=_RETRIES)(take)
        self._flying: dict[Any, tuple[Wanted, float]] = {}
        self.slots = self.widest = 1
        self._count()

    def begin(self, wanted: Wanted) -> None:
        """Start this turn, on whichever machine has so many cores free."""
        until = time.monotonic() + 120.0 * wanted.minutes + _LATE
        self._flying[self._remote.options(num_cpus=wanted.cores).remote(wanted)] = wanted, until

    def ended(self, seconds: float) -> Iterator[Taken]:
        """What ended meanwhile."""
        self._count()
        ready, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=seconds)
        for reference in ready:
            wanted, _ = self._flying.pop(reference)
            try:
                yield self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                words = f"the cluster lost it {_RETRIES + 1} times: {type(error).__name__}"
                yield Taken(wanted=wanted, at=time.time(), seconds=0.0, code=4, result={"why": words})
        yield from self._overdue()

    def _overdue(self) -> Iterator[Taken]:
        """Turns that not even their own minutes have ended: the machine that was wide enough for them may be gone."""
        now = time.monotonic()
        for reference in [one for one, (_, until) in self._flying.items() if now > until]:
            wanted, _ = self._flying.pop(reference)
            self._ray.cancel(reference, force=True)
            yield Taken(wanted=wanted, at=time.time(), seconds=0.0, code=4, signal=signal.SIGKILL)

    def _count(self) -> None:
        """Cores that there are now, and those of the largest machine: machines come and go."""
        alive = [int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]]
        self.slots, self.widest = max(sum(alive), 1), max(alive, default=1)

    def close(self) -> None:
        """End what is still running; a cluster that was started here ends as well."""
        for reference in self._flying:
            self._ray.cancel(reference, force=True)
        self._flying.clear()
        if self._mine:
            self._ray.shutdown()
