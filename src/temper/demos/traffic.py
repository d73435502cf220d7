"""SIMULATED traffic at the fraud demo's gateway: honest payments, some frauds, now and then rows of a broken feed."""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.traffic.arrivals import arrivals

Array = np.ndarray[Any, Any]
HONEST, FRAUD, ODD = 0, 1, 2
_BROKEN = 3
"""Columns that a broken feed gets wrong in a row."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traffic:
    """An open loop of rows, second by second: `rate` payments a second at random times, of which a share of `frauds`
    is fraud, and in one second of every `every` another `burst` rows with values no payment has.

    The same seed gives the same traffic. Misleads as a load test: real payments come in waves, these do not.

    >>> traffic = Traffic(honest=np.zeros((9, 1)), fraud=np.ones((9, 1)), odd=np.full((9, 1), 7.0), rate=20.0)
    >>> due, rows, kinds = traffic.second(0)
    >>> len(due) == len(rows) == len(kinds), bool((rows[kinds == FRAUD] == 1.0).all())
    (True, True)
    """

    honest: Array
    fraud: Array
    odd: Array
    rate: float = 50.0
    frauds: float = 0.03
    burst: int = 6
    every: int = 45
    seed: int = 0

    def second(self, number: int) -> tuple[Array, Array, Array]:
        """When within this second (n,), which rows (n, columns), and what each is (n,)."""
        rng = Draws(self.seed, "demos.traffic").generator(number)
        due = arrivals(self.rate, 1.0, rng)
        kinds = (rng.random(len(due)) < self.frauds).astype(int)
        if number % self.every == self.every - 1:
            due = np.append(due, rng.random(self.burst))
            kinds = np.append(kinds, np.full(self.burst, ODD))
        order = np.argsort(due)
        pools = (self.honest, self.fraud, self.odd)
        rows = [pools[kind][rng.integers(len(pools[kind]))] for kind in kinds[order]]
        return due[order], np.array(rows).reshape((-1, self.honest.shape[1])), kinds[order]


def traffic(system: Protected, seed: int = 0, **settings: Any) -> Traffic:
    """What will be sent: the test payments of this system, and rows of them that a broken feed has spoilt."""
    x, y = system.data.x, system.data.y
    honest, fraud = x[y == 0], x[y == 1]
    rng = Draws(seed, "demos.traffic.odd").generator()
    odd = spoilt(system.schema, honest[rng.integers(len(honest), size=200)], rng)
    return Traffic(honest=honest, fraud=fraud, odd=odd, seed=seed, **settings)


def spoilt(schema: Schema, rows: Array, rng: np.random.Generator) -> Array:
    """The rows with some numbers at the far end of what their columns allow, each other ones."""
    numbers = [
        at for at, one in enumerate(schema.columns) if one.type in ("number", "integer") and np.isfinite(one.high)
    ]
    found = rows.copy()
    for row in found:
        for at in rng.choice(numbers, size=min(_BROKEN, len(numbers)), replace=False):
            row[at] = schema.columns[at].high
    return found


@dataclass(slots=True, kw_only=True, eq=False)
class Tally:
    """What clients have been answered; `positive` is what a fraud is called. `recent` are seconds from when requests
    were due to their answers, of the latest of them.
    """

    positive: str = "1"
    sent: int = 0
    unanswered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    flagged: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=3_000))

    def read(self, body: bytes) -> int:
        """Count one answer, and say 1 where it was one."""
        document = json.loads(body)
        if "results" not in document:
            return 0
        for result in document["results"]:
            self.decisions[result["decision"]] += 1
            self.flagged += result.get("label") == self.positive
        self.sources[document["source"]] += 1
        return 1

    def played(self, status: Array, response: Array) -> None:
        """Count what became of the requests that were due together."""
        self.sent += len(status)
        self.unanswered += int((status == 0).sum())
        self.statuses.update(one for one in status.tolist() if one not in (0, 200))
        self.recent.extend(response.tolist())

    def tails(self) -> tuple[float, float]:
        """p50 and p99 of the recent answers, in seconds; NaN before there are any."""
        if not self.recent:
            return float("nan"), float("nan")
        found = np.quantile(np.array(self.recent), [0.5, 0.99])
        return float(found[0]), float(found[1])


__all__ = ["FRAUD", "HONEST", "ODD", "Tally", "Traffic", "spoilt", "traffic"]
