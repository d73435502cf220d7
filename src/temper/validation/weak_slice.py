"""The segments in which the model is worse than elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.schema import Column
from temper.core.seed import Draws
from temper.kernels.rate import apart
from temper.kernels.several import discoveries
from temper.kernels.slices import Rule, search
from temper.validation._lapses import Lapse, halves, lapses
from temper.validation._measured import missing, not_applicable

NAME = "weak_slice"
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judged:
    """A rule on the rows that had no part in finding it: events of its rows, of all others, and its p-value."""

    rule: Rule
    mask: Any
    count: int
    n: int
    others: int
    m: int
    p: float

    def excess(self, confidence: float) -> tuple[float, float, float]:
        """Rate inside minus rate elsewhere, with its interval."""
        return apart(self.count, self.n, self.others, self.m, confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakSlice:
    """Where mistakes are more frequent than elsewhere: rules of one or two columns ("age <= 25 and amount > 300").

    All pairs of conditions are searched on half of the rows; the `most` strongest are judged on the other half. Slice
    "all" is the segment whose excess is largest for sure; a "rule:..." is another one that
    holds without those rows too. What holds does so while no more than `level` of such claims are false on average,
    however the segments overlap. Misses of class 1 and alarms on class 0 are
    searched apart. Each interval holds for all candidates at once.
    Misleads where a segment is hard for any model: an excess says where the model is worst, not that a better one is
    possible. Segments of three columns, or of few rows (`smallest` in half of the data), are not seen.
    Source: Chung et al., "Slice Finder: automated data slicing for model validation", 2019; Sagadeeva & Boehm,
    "SliceLine: fast, linear-algebra-based slice finding", 2021; Benjamini & Yekutieli, "The control of the false
    discovery rate in multiple testing under dependency", 2001.

    >>> WeakSlice(most=10).smallest
    30
    """

    most: int = 20
    smallest: int = 30
    level: float = 0.05
    cuts: int = 8
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`misses` and `alarms` (or `errors`, or `large_errors`): excess over the rate elsewhere, in shares."""
        if not scene.schema.columns:
            return not_applicable(NAME, "segments are looked for in tables with columns")
        return tuple(m for lapse in lapses(scene) for m in self._of(lapse, scene))

    def _of(self, lapse: Lapse, scene: Scene) -> list[Measurement]:
        columns, x = scene.schema.columns, np.asarray(scene.x)[lapse.rows]
        here, there = halves(lapse.rows, scene, Draws(self.seed, NAME))
        claims, tried = self._claims(x, lapse.hit, here, there, columns)
        if not claims:
            return [self._nothing(lapse, int(here.sum()))]
        about = f"{tried} candidates, found on {int(here.sum()):,} other {lapse.among}"
        return [self._measurement(lapse, claim, columns, 1 - 0.05 / tried, about) for claim in claims]

    def _claims(
        self, x: Any, hit: Any, here: Any, there: Any, columns: Sequence[Column]
    ) -> tuple[list[tuple[str, _Judged, bool]], int]:
        """(slice, rule, whether it holds) of the segments to tell, and how many candidates there were."""
        rules = search(x[here], hit[here], columns, least=self.smallest, most=self.most, cuts=self.cuts)
        judged = [_judge(rule, x[there], hit[there]) for rule in rules]
        judged = [j for j in judged if j.n and j.m]
        if not judged:
            return [], 0
        sure = 1 - 0.05 / len(judged)
        harmonic = float((1 / np.arange(1, len(judged) + 1)).sum())  # Benjamini-Yekutieli: rules share rows
        held = discoveries([j.p for j in judged], self.level / harmonic)
        order = sorted(range(len(judged)), key=lambda at: -judged[at].excess(sure)[1])
        told = _apart([(judged[at], at in held) for at in order], hit[there], self.level / len(judged))
        return told, len(judged)

    def _nothing(self, lapse: Lapse, n: int) -> Measurement:
        few = n < 2 * self.smallest
        why = f"{n} {lapse.among} to look in, {2 * self.smallest} are needed" if few else "no mistake to look for"
        if not few and 0 < lapse.hit.sum() < len(lapse.hit):
            why = f"no segment of {self.smallest} rows has more {lapse.metric} than the rest"
        if not few and lapse.hit.all() and len(lapse.hit):
            why = f"every one of the {len(lapse.hit):,} {lapse.among} is judged wrongly"
        return missing(NAME, lapse.metric, Status.INCONCLUSIVE, why, n=n, better=Better.LOWER)

    def _measurement(
        self, lapse: Lapse, claim: tuple[str, _Judged, bool], columns: Sequence[Column], sure: float, about: str
    ) -> Measurement:
        where, j, held = claim
        value, low, high = j.excess(sure)
        words = j.rule.words(columns)
        chance = f"chance may show as much (p = {j.p:.2g} before correction)"
        doubt = f"holds while {100 * self.level:g} % of such claims are false" if held else chance
        return Measurement(
            plugin=NAME,
            metric=lapse.metric,
            value=value,
            low=low,
            high=high,
            n=j.n,
            unit="difference of rates",
            better=Better.LOWER,
            slice=where or f"rule:{words}",
            method=f"Newcombe, simultaneous over {about}; Benjamini-Yekutieli at {self.level:g}",
            baseline=(("rate in the segment", j.count / j.n), ("rate elsewhere", j.others / j.m)),
            caveats=(words, doubt, f"among {lapse.among}"),
        )


def _judge(rule: Rule, x: Any, hit: Any) -> _Judged:
    mask = rule.mask(x)
    n, count, total = int(mask.sum()), int(hit[mask].sum()), int(hit.sum())
    return _Judged(rule=rule, mask=mask, count=count, n=n, others=total - count, m=len(hit) - n, p=_chance(mask, hit))


def _chance(mask: Any, hit: Any) -> float:
    """The exact chance of as many events on these rows when they fall on rows whatever they are."""
    from scipy.stats import hypergeom

    return float(hypergeom.sf(int(hit[mask].sum()) - 1, len(hit), int(hit.sum()), int(mask.sum())))


def _apart(judged: list[tuple[_Judged, bool]], hit: Any, level: float) -> list[tuple[str, _Judged, bool]]:
    """The first one as slice "all", and of the others those that hold on the rows that none told before speaks of: the
    fringes of one weak segment are no second one.
    """
    told, rest = [("all", *judged[0])], ~judged[0][0].mask
    for j, held in judged[1:]:
        if held and len(told) < _SHOWN and _chance(j.mask[rest], hit[rest]) <= level:
            told.append(("", j, True))
            rest &= ~j.mask
    return told


PLUGIN = WeakSlice
