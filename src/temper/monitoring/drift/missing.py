"""Values that are missing more often, or less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRate:
    """Whether a column lacks a value as often as in the reference, by the exact test of two rates.

    Misleads where whole rows are missing: a feed that is silent is not seen here.
    Source: Fisher, "The logic of inductive inference", 1935.

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> known = Reference.fit(rows[:2_000], Schema())
    >>> gone = np.where(np.arange(2_000)[:, None] % 10 < [0, 4], np.nan, rows[2_000:])
    >>> MissingRate().compare(Window.of(known, gone, np.arange(2_000))).values
    array([0. , 0.4])
    """

    def compare(self, window: Window) -> Moved:
        """The share of rows without a value, less the reference's."""
        before, now = window.reference.tally, window.tally
        n, m = np.full(len(before.missing), before.rows), np.full(len(now.missing), now.rows)
        with np.errstate(invalid="ignore"):
            values = now.missing / m - before.missing / n
        return Moved(columns=np.arange(len(values)), values=values, p=drift.rates(before.missing, n, now.missing, m))


PLUGIN = MissingRate
