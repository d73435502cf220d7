"""One case tried again and again, each time closer to the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import TOGETHER, Moved
from temper.kernels.walk import approach_p
from temper.monitoring.reference import Window

_LONG = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Trains:
    """Whether rows of one client that differ only in what an attacker sets come closer to the threshold as they go on.

    A train is `least` rows or more of one client that agree in every fixed column (where rows name no client, whoever
    sent them). If nobody walks, every order of its scores is as likely, which makes p exact; of many trains the
    smallest counts, times their number. Its last 60 rows are read.
    Misleads where a case honestly improves while it is tried again. Blind to trains shorter than five rows or spread
    over many clients with changed fixed columns, to random search, which does not walk, and without time or score.
    Source: Mann, "Nonparametric tests against trend", 1945; Chen, Carlini & Wagner, "Stateful detection of black-box
    adversarial attacks", 2019.

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> scores = np.random.Generator(np.random.Philox(key=0)).beta(1, 9, size=(3_000, 1))
    >>> known, at = Reference.fit(scores[:2_000], Schema(), threshold=0.3), np.arange(1_000.0)
    >>> walked = scores[2_000:].copy()
    >>> walked[100:120, 0] = np.linspace(0.9, 0.31, 20)
    >>> clients = np.where((at >= 100) & (at < 120), 7, 1_000 + at).astype(int)
    >>> found = Trains().compare(Window.of(known, walked, np.arange(1_000), at, clients))
    >>> found.values, bool(found.p[0] < 1e-9)
    (array([20.]), True)
    """

    least: int = 5

    def compare(self, window: Window) -> Moved:
        """How many rows the most telling train has."""
        trains = [scores[-_LONG:] for scores in window.trail.trains(self.least)]
        if not trains:
            return Moved(columns=np.array([TOGETHER]), values=np.array([np.nan]), p=np.array([1.0]))
        p = np.array([approach_p(np.abs(scores - window.reference.threshold)) for scores in trains])
        first = int(np.argmin(p))
        value = np.array([float(len(trains[first]))])
        return Moved(columns=np.array([TOGETHER]), values=value, p=np.array([min(1.0, len(p) * p[first])]))


PLUGIN = Trains
