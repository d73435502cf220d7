"""Keys that do not hold, tried more often than they used to be: somebody who guesses, or has an old one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import TOGETHER, Moved
from temper.core.watch import REFUSED
from temper.kernels.surge import surge_p
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Whether more requests came without a key that holds than the windows before promise.

    The gateway's ledger says how many there were. p is the chance of so many under the rates that up to 60 earlier
    windows, which did not alarm for this, leave open: where they were uneven, so may this one be. Fewer than
    `least` are nobody's attack, and after fewer than `earlier` windows nothing is said.
    Misleads where a client's key has ended and it goes on asking: whose, the gateway's log says (`key.refused`). A
    level that stays alarms until it goes, since what alarmed is not learned. Blind to one stolen key, which holds,
    and to guesses that grow slowly.
    Source: gamma-Poisson prediction, `kernels/surge.py`; OWASP API Security Top 10, API2:2023 (broken authentication).

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> known = Reference.fit(np.random.Generator(np.random.Philox(key=0)).normal(size=(500, 1)), Schema())
    >>> empty = np.zeros((0, 1)), np.zeros(0, np.int64)
    >>> before = tuple({REFUSED: many} for many in (3, 0, 5, 2, 4, 1))
    >>> [bool(Refused().compare(Window.of(known, *empty).counted({REFUSED: n}, before)).p[0] < 0.003) for n in (9, 900)]
    [False, True]
    """

    least: int = 10
    earlier: int = 5

    def compare(self, window: Window) -> Moved:
        """How many requests came without a key that holds."""
        before = [one[REFUSED] for one in window.before if REFUSED in one]
        if REFUSED not in window.events or len(before) < self.earlier:
            return Moved(columns=np.zeros(0, np.int64), values=np.zeros(0), p=np.zeros(0))
        many = window.events[REFUSED]
        p = surge_p(many, before) if many >= self.least else 1.0
        return Moved(columns=np.array([TOGETHER]), values=np.array([float(many)]), p=np.array([p]))


PLUGIN = Refused
