"""Clients whose queries, one after another, are those of somebody copying the model or searching its edge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from temper.core.detector import Signal
from temper.core.schema import Schema
from temper.detectors._ordinary import none, served
from temper.detectors.stream._followed import KINDS, Trail, begun, learnt

Array = np.ndarray[Any, Any]
_MOST = 1e15


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """Alarms when a client's queries are too unlike those of any ordinary client: columns that do not go together,
    values in the tails, small steps away from its own earlier queries, steps of one size in several columns at once.

    At most a share `rate` of ordinary clients is alarmed at within `horizon` queries, as far as held-out rows show it,
    if theirs are any mixture of rows alike in one column and up to a share `tolerated` looks as in an attack. A row
    repeated exactly says nothing and counts nothing. Misleads about clients that ask natural rows, or few made-up ones
    among many natural: no detector tells them from honest ones, and quotas have to.
    Source: Shin, Ramdas & Rinaldo, "E-detectors", 2024 (the sum of bets); Juuti et al., "PRADA", 2019 (distances to a
    client's own queries).

    >>> rng = np.random.Generator(np.random.Philox(key=0))
    >>> rows = rng.normal(size=(4_000, 1)) + 0.1 * rng.normal(size=(4_000, 3))
    >>> watch = Extraction()
    >>> trail, signal = watch.step(watch.fit(rows, Schema()), rng.normal(size=(50, 3)))
    >>> bool(signal.alarms[-1]), trail.distinct
    (True, 50)
    """

    rate: float = 0.001
    horizon: int = 10_000
    tolerated: float = 0.05
    ring: int = 256

    def fit(self, x: Array, schema: Schema) -> Trail:
        """The trail of a client that has not asked anything yet."""
        return begun(learnt(x, schema, self.tolerated))

    def step(self, state: Trail, batch: Array) -> tuple[Trail, Signal]:
        """The evidence after each row of one client: the sum of all bets begun so far, on average over the kinds."""
        rows, out = served(batch, len(state.ring)), np.empty(len(batch))
        start, largest = 0, 0.0
        while start < len(rows):
            state = state.roomy(self.ring)
            room = len(rows) if len(state.names) >= self.ring else len(state.names) - int(state.counts[0])
            part = slice(start, start + max(room, 1))
            largest = max(largest, _follow(state, rows[part], out[part]))
            start = part.stop
        limit = self.horizon / self.rate
        if largest < limit:
            return state, Signal(values=out, alarms=none(len(out)))
        alarms = out >= limit
        worst = KINDS[int(np.argmax(state.counts[2:]))]
        return state, Signal(values=out, alarms=alarms, reason=f"{worst}, in {state.distinct} distinct queries")


def _follow(state: Trail, rows: Array, out: Array) -> float:
    """Fill `out` with the evidence after each row, and give the largest."""
    one = state.ordinary
    table, tree, tail = one.codes, one.tree, one.tails
    found: float = _compiled()(
        rows, table.knots, table.bins, table.order, table.numbers, tree.parent, tree.gain, tail.tables, tail.columns,
        one.edges, one.factors, one.reference, state.ring, state.known, state.steps, state.names, state.counts,
        _MOST, out,
    )  # fmt: skip
    return found


@cache  # an import statement costs half as much as a row
def _compiled() -> Any:
    from temper.kernels._jit_trail import follow

    return follow


PLUGIN = Extraction
