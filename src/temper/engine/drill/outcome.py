"""What came of a drill: counted, judged, and told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.chaos.alert import Alert
from temper.chaos.arithmetic import Share
from temper.core.drill import Turn
from temper.core.requirement import Verdict
from temper.engine.drill.reviewing import Reviewed

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drilled:
    """What came of one drill. Times are in seconds after the fault began, `full_again` after it was over; None: never.

    `good` are requests that anybody answered well within `limit`, `steady` those of them before the fault, `full` those
    that the model answered with the score that it gives without a fault; `wrong` were answered as the model's, with
    another score. `breaker` is when it was seen open, `alerts` when the error budget of `slo` would have told, `met`
    how many exchanges the proxy did something to. `reviewed` is what became of cases, where the fault was people's.
    """

    name: str
    fault: str
    rate: float
    seconds: float
    slo: float
    deadline: float
    limit: float
    began: float
    over: float
    steady: Share
    good: Share
    full: Share
    failed: int
    late: int
    degraded: int
    wrong: int
    first_other: float | None
    fallback: float | None
    answered_again: float | None
    restored: float | None
    breaker: float | None
    alerts: tuple[Alert, ...]
    spent: float
    p99_steady: float
    p99: float
    worst: float
    trusted: bool
    met: int | None
    turns: Mapping[Turn, float]
    width: float
    slots: Array
    """Per `width` seconds: full, answered by others, wrong, not good."""
    reviewed: Reviewed | None = None

    @property
    def requests(self) -> int:
        """How many there were."""
        return self.good.n

    @property
    def detected(self) -> float | None:
        """The first that told: the breaker, an alert of the budget, or an incident about cases."""
        told = [one.at - self.began for one in self.alerts]
        noticed = None if self.reviewed is None else self.reviewed.noticed
        return min([one for one in (self.breaker, noticed, *told) if one is not None], default=None)

    @property
    def full_again(self) -> float | None:
        """Seconds after the end of the fault at which the model answered everybody again."""
        return None if self.restored is None else max(0.0, self.restored - (self.over - self.began))

    @property
    def reasons(self) -> tuple[tuple[Verdict, str], ...]:
        """What was asked of it, and whether it holds: PASS only where the interval says so."""
        low, high = self.good.interval
        told = f"answered in time {self.good.value:.2%} ({low:.2%} to {high:.2%}), asked for {self.slo:.2%}"
        right = Share(count=self.requests - self.wrong, n=self.requests)
        low_right, high_right = right.interval
        wrong = f"wrong scores as if they were right {self.wrong / max(1, self.requests):.2%}"
        found = [
            (_judged(low, high, self.slo), told),
            (_judged(low_right, high_right, self.slo), f"{wrong}, at most {1 - self.slo:.2%} allowed"),
            (Verdict.PASS, "") if self.restored is not None else (Verdict.FAIL, "the model did not take over again"),
        ]
        if not self.steady.n:
            long = (
                f"no request was due {self.limit:g} s, an answer's time, before the fault: ask for longer (--seconds)"
            )
            found.append((Verdict.INCONCLUSIVE, long))
        elif self.steady.value < self.slo:
            found.append((Verdict.INCONCLUSIVE, f"no steady state: {self.steady.value:.2%} were good before the fault"))
        if not self.trusted:
            late = "the generator could not keep its own times: ask for less (--rate), or where less else runs"
            found.append((Verdict.INCONCLUSIVE, late))
        if self.met == 0:
            found.append((Verdict.INCONCLUSIVE, "the fault met no request"))
        if self.reviewed is not None:
            found += self.reviewed.reasons(self.slo)
        return tuple(found)

    @property
    def verdict(self) -> Verdict:
        """The worst of these; nothing is judged where there was no steady state, or the generator was late."""
        verdicts = [verdict for verdict, _ in self.reasons]
        steady = self.steady.value >= self.slo and (self.reviewed is None or self.reviewed.steady(self.slo))
        if not self.trusted or not steady:
            return Verdict.INCONCLUSIVE
        return next((one for one in (Verdict.FAIL, Verdict.INCONCLUSIVE) if one in verdicts), Verdict.PASS)

    @property
    def held(self) -> bool:
        """Whether it passed."""
        return self.verdict is Verdict.PASS

    def figures(self) -> dict[str, Any]:
        """What is kept of it; a number that is none is left out."""
        names = "rate requests slo limit failed late degraded wrong first_other fallback answered_again full_again"
        names += " restored breaker detected spent p99_steady p99 worst deadline trusted met"
        told = {name: getattr(self, name) for name in names.split()}
        told |= {} if self.reviewed is None else self.reviewed.figures()
        told |= {"answered": self.good.value, "full_quality": self.full.value, "verdict": self.verdict.value}
        return {name: value for name, value in told.items() if not isinstance(value, float) or math.isfinite(value)}

    def lines(self) -> Iterator[str]:
        """As a person reads it."""
        yield f"{self.fault}, at {self.rate:.0f} requests a second, {self.requests:,} requests in all"
        unseen = f" (up to {self.good.unseen:.2%} bad would have been possible unseen)"
        yield f"answered within {ms(self.limit)}: {_share(self.good)}{unseen if self.good.n == self.good.count else ''}"
        yield f"of full quality, by the model: {_share(self.full)}"
        yield f"failed: {self.failed}; late: {self.late}; wrong scores: {self.wrong}; by somebody else: {self.degraded}"
        met = "" if self.met is None else f"; the fault met {self.met:,} exchanges"
        yield f"of the error budget of {1 - self.slo:.2%} this drill spent {self.spent:.0%}{met}"
        yield f"detected after {ms(self.detected)} (breaker {ms(self.breaker)}, {_first(self)})"
        again = f"answered again after {ms(self.answered_again)}"
        yield f"from the first bad request to the next good one {ms(self.fallback)}, {again}"
        yield f"of full quality again after {ms(self.restored)}: {ms(self.full_again)} after the fault was over"
        tails = (ms(one, 1) for one in (self.p99_steady, self.p99, self.worst))
        yield "p99 {} before the fault and {} over the whole run, the slowest {}".format(*tails)
        yield from () if self.reviewed is None else self.reviewed.lines()
        yield from (f"{verdict.value}: {words}" for verdict, words in self.reasons if verdict is not Verdict.PASS)


def _judged(low: float, high: float, asked: float) -> Verdict:
    return Verdict.PASS if low >= asked else Verdict.FAIL if high < asked else Verdict.INCONCLUSIVE


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.2%} ({low:.2%} to {high:.2%}, n = {share.n:,})"


def _first(drilled: Drilled) -> str:
    if not drilled.alerts:
        return "no alert of the budget"
    return f"alert {drilled.alerts[0].rule!r} {ms(drilled.alerts[0].at - drilled.began)}"


def ms(seconds: float | None, digits: int = 0) -> str:
    """A time as a person reads it.

    >>> ms(0.0124), ms(12.4), ms(None)
    ('12 ms', '12.4 s', 'never')
    """
    if seconds is None or not math.isfinite(seconds):
        return "never" if seconds is None else "-"
    return f"{seconds:.1f} s" if seconds >= 10 else f"{1e3 * seconds:.{digits}f} ms"
