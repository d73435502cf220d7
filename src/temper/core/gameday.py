"""Several drills on one day, as they are told to people: what each cost, and what the whole says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from temper.core.requirement import Verdict

_WORST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.WAIVED, Verdict.PASS)
SERIES = ("full", "other", "wrong", "bad")
"""Of a rehearsal's slots: by the model, by somebody else, by the model with a wrong score, not in time or at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """One drill. `slots` are requests per `width` seconds from the start, as many numbers for each of `SERIES`; the
    fault was from `began` to `over`. `marks` are (what happened, when), `notes` what else is told of it. One that could
    not be run has only a reason.
    """

    name: str
    fault: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    began: float = 0.0
    over: float = 0.0
    width: float = 0.1
    slots: tuple[tuple[int, ...], ...] = ()
    marks: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure over `n` drills: its mean with a 95 % interval (None of one drill), and the worst."""

    name: str
    n: int
    mean: float
    low: float | None
    high: float | None
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GameDay:
    """The day: `started` in seconds since 1970, `cut` where it was ended before the last drill."""

    system: str
    started: float
    slo: float
    rehearsals: tuple[Rehearsal, ...]
    spreads: tuple[Spread, ...] = ()
    cut: bool = False

    @property
    def ordered(self) -> tuple[Rehearsal, ...]:
        """The worst first: by verdict, then by who was answered in time, then by full quality."""
        return tuple(sorted(self.rehearsals, key=_badness))

    @property
    def verdict(self) -> Verdict:
        """The worst of all; a day that was cut short has not passed."""
        verdicts = [one.verdict for one in self.rehearsals]
        if self.cut or not verdicts:
            verdicts.append(Verdict.INCONCLUSIVE)
        return min(verdicts, key=_WORST.index)


def _badness(one: Rehearsal) -> tuple[float, ...]:
    told = (one.figures.get(name, 0.0) for name in ("answered", "full_quality"))
    return (_WORST.index(one.verdict), *told)
