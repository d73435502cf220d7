"""The search for the highest rate that a service bears."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from temper.core.load import Knee, Limit, Trial

Ask = Callable[[float], Trial]
"""One run at so many requests a second."""
_LEAST = 1.0
_STEP, _AROUND = 1.6, 1.25


def bracketed(trials: Sequence[Trial], limit: Limit) -> Knee:
    """What the runs of a search that was not finished say: between the lowest rate that broke and the highest below it
    that held. No interval: nothing was looked for twice.
    """
    broke = min((one.rate for one in trials if not one.holds(limit)), default=None)
    below = [one.rate for one in trials if one.holds(limit) and (broke is None or one.rate < broke)]
    low = max(below, default=0.0)
    middle = low if broke is None else math.sqrt(low * broke)
    return Knee(value=middle, low=low, high=broke, searches=(), most=max(one.rate for one in trials))


@dataclass(slots=True, kw_only=True)
class Search:
    """A geometric ramp until the limit breaks, then bisections between, each anew from a bracket around the last.

    Misleads: a rate is tried for seconds. What breaks after minutes (memory, a log, a cache that fills) is not seen;
    and what is found is this machine's, with what else runs on it.
    """

    ask: Ask
    limit: Limit
    first: float
    most: float
    searches: int = 3
    precision: float = 0.06
    trials: list[Trial] = field(default_factory=list, init=False)

    def knee(self) -> Knee:
        """The knee, with the bracket that all searches agree on."""
        low, high = self._ramp()
        if low is None:
            return Knee(value=0.0, low=0.0, high=high, searches=(), most=self.most)
        if high is None:
            return Knee(value=low, low=low, high=None, searches=(low,), most=self.most)
        brackets = [self._bisected(low, high)]
        for _ in range(self.searches - 1):
            brackets.append(self._bisected(*self._around(*brackets[-1])))
        middles = tuple(math.sqrt(low * high) for low, high in brackets)
        return Knee(
            value=float(np.median(middles)),
            low=min(low for low, _ in brackets),
            high=max(high for _, high in brackets),
            searches=middles,
            most=self.most,
        )

    def _holds(self, rate: float) -> bool:
        self.trials.append(self.ask(rate))
        return self.trials[-1].holds(self.limit)

    def _ramp(self) -> tuple[float | None, float | None]:
        """The highest rate that held and the next one, which did not."""
        rate = self.first
        if not self._holds(rate):
            while rate > _LEAST:
                rate = max(rate / 2, _LEAST)
                if self._holds(rate):
                    return rate, 2 * rate
            return None, rate
        while rate < self.most:
            following = min(rate * _STEP, self.most)
            if not self._holds(following):
                return rate, following
            rate = following
        return rate, None

    def _around(self, low: float, high: float) -> tuple[float, float]:
        """A wider bracket around one, its ends tried anew: one lucky or unlucky run must not decide all searches."""
        low, high = low / _AROUND, min(high * _AROUND, self.most)
        while low > _LEAST and not self._holds(low):
            low, high = low / _AROUND, low
        while high < self.most and self._holds(high):
            low, high = high, min(high * _AROUND, self.most)
        return low, high

    def _bisected(self, low: float, high: float) -> tuple[float, float]:
        while high / low > 1 + self.precision:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self._holds(middle) else (low, middle)
        return low, high
