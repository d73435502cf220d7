"""Drift in what an attacker sets, and in nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import TOGETHER, Moved
from temper.kernels import drift
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Movable:
    """Whether columns that the Schema says an attacker sets have moved while those that nobody sets stay.

    The distance is Kolmogorov and Smirnov's, codes in their order. Nothing is said (p is one) where a fixed column has
    moved half as far, or no movable one by `least`; else p is the smallest of the movable ones times their number.
    Misleads where customers change only what they can change, as at a sale; and is blind to a campaign of few rows.
    Source: Smirnov, 1948; the reasoning is that of mutable features: Chen et al., "Cost-aware robust tree ensembles for
    security applications", 2021.

    >>> from temper.core.schema import Column, Mutability, Schema
    >>> from temper.monitoring.reference import Reference
    >>> schema = Schema(columns=(Column(name="amount", attacker=Mutability.FREE), Column(name="age")))
    >>> rows = np.random.Generator(np.random.Philox(key=0)).normal(size=(4_000, 2))
    >>> known = Reference.fit(rows[:2_000], schema)
    >>> moved = [rows[2_000:] + step for step in ([0.5, 0.0], [0.5, 0.5])]
    >>> [bool(Movable().compare(Window.of(known, one, np.arange(2_000))).p[0] < 1e-9) for one in moved]
    [True, False]
    """

    least: float = 0.1

    def compare(self, window: Window) -> Moved:
        """The largest distance of a movable column; all columns together."""
        known = window.reference
        apart, p = drift.ks(known.cells, known.tally, window.tally)
        if not (known.movable.any() and known.fixed.any()) or not np.isfinite(apart[known.movable | known.fixed]).all():
            return Moved(columns=np.array([TOGETHER]), values=np.array([np.nan]), p=np.array([1.0]))
        value = float(apart[known.movable].max())
        alone = value >= self.least and apart[known.fixed].max() < value / 2.0
        surely = min(1.0, float(p[known.movable].min()) * int(known.movable.sum())) if alone else 1.0
        return Moved(columns=np.array([TOGETHER]), values=np.array([value]), p=np.array([surely]))


PLUGIN = Movable
