"""Attempts to make an assistant do what its owner does not want, seen by its guard more often than before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import TOGETHER, Moved
from temper.core.watch import ATTEMPTS, EXCHANGES
from temper.kernels.surge import surge_p
from temper.monitoring.reference import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Whether the guard objected to more exchanges than the windows before promise for so many.

    The gateway's ledger says to which exchanges the stages that look for injections objected: blocked, held back or
    revised. p is the chance of so many or more under the rates that up to 60 earlier windows, which did not alarm for
    this, leave open: where they were uneven, so may this one be. Fewer than `least` are nobody's campaign, and after
    fewer than `earlier` windows nothing is said.
    Misleads where a stage fails, which blocks as well, or where a new guard or new work of honest users makes it object
    more often. A level that stays alarms until it goes. Blind to attempts the guard does not see, to one that works
    at once, and to somebody who sends harmless questions along with each, as many as others do.
    Source: gamma-Poisson prediction with exposures, `kernels/surge.py`; OWASP LLM01:2025 (prompt injection).

    >>> from temper.core.schema import Schema
    >>> from temper.monitoring.reference import Reference
    >>> known = Reference.fit(np.zeros((2, 0)), Schema())
    >>> rows = np.zeros((200, 0)), np.arange(200)
    >>> before = tuple({ATTEMPTS: many, EXCHANGES: 200} for many in (3, 0, 5, 2, 4, 1))
    >>> [bool(Attempts().compare(Window.of(known, *rows).counted({ATTEMPTS: n}, before)).p[0] < 0.003) for n in (9, 90)]
    [False, True]
    """

    least: int = 10
    earlier: int = 5

    def compare(self, window: Window) -> Moved:
        """To how many exchanges the guard objected."""
        before = [one for one in window.before if ATTEMPTS in one and one.get(EXCHANGES)]
        if not window.tally.rows or ATTEMPTS not in window.events or len(before) < self.earlier:
            return Moved(columns=np.zeros(0, np.int64), values=np.zeros(0), p=np.zeros(0))
        many, rows = window.events[ATTEMPTS], [window.tally.rows, *(one[EXCHANGES] for one in before)]
        exposures = [each / rows[0] for each in rows[1:]]
        p = surge_p(many, [one[ATTEMPTS] for one in before], exposures) if many >= self.least else 1.0
        return Moved(columns=np.array([TOGETHER]), values=np.array([float(many)]), p=np.array([p]))


PLUGIN = Attempts
