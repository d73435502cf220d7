"""Whether models tell how large a share of their training rows a group had."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.kernels.rate import clopper_pearson

Vector = np.ndarray[Any, Any]
METRICS = ("accuracy",)
_STRICT = 0.99


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rung:
    """Models fitted on `rows` rows with one of two `shares` of the group: which one had the larger (n,) and what the
    attack says; and the same for labels that mean nothing.
    """

    shares: tuple[float, float]
    rows: int
    truth: Vector
    guess: Vector
    dealt: Vector
    null: Vector

    @property
    def gap(self) -> float:
        """How far the shares lie apart."""
        return round(self.shares[1] - self.shares[0], 6)

    @property
    def told_apart(self) -> bool:
        """Whether the guesses are surely better than a coin."""
        return clopper_pearson(int((self.guess == self.truth).sum()), len(self.truth))[0] > 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shares:
    """What property inference leaves: the group in words, its share, and the gaps tried, widest first."""

    group: str
    share: float
    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How often an attacker tells a model fitted on a large share of a group from one fitted on a small share.

    Chance is one half. Gaps are tried from the widest until one is not told apart, so each is judged at the full level.
    Speaks of models on this many rows: of larger training sets more may be told. Misleads when read as a breach of a
    person's privacy: it is a fact about the data, such as who a bank's customers are.
    Source: Suri & Evans, "Formalizing and estimating distribution inference risks", 2022.

    >>> Share(plugin="inversion.property").charged
    False
    """

    charged: ClassVar[bool] = False
    plugin: str = "inversion.property"
    confidence: float = 0.95

    def judge(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """Accuracy per gap, headed by that at the widest with the curve over all."""
        seen = outcome.payload
        if not isinstance(seen, Shares) or not seen.rungs:
            raise TemperError("share needs the evidence of a property attack", fix="pass it as the payload")
        found = [self._rung(seen, rung) for rung in seen.rungs]
        told = [rung.gap for rung in seen.rungs if rung.told_apart]
        word = f"told apart down to a gap of {min(told):g}" if told else "no gap that was tried is told apart"
        head = replace(found[0], slice="all", curve=_curve(found), caveats=(word, *found[0].caveats))
        return (head, *found)

    def _rung(self, seen: Shares, rung: Rung) -> Measurement:
        hits, n = int((rung.guess == rung.truth).sum()), len(rung.truth)
        low, high = clopper_pearson(hits, n, self.confidence)
        idle = int((rung.null == rung.dealt).sum())
        reason = ""
        if clopper_pearson(idle, n, _STRICT)[0] > 0.5:
            reason = (
                f"labels that mean nothing are told apart as well ({idle} of {n}): blocks differ by more than shares"
            )
        return Measurement(
            plugin=self.plugin,
            metric="accuracy",
            value=hits / n,
            low=low,
            high=high,
            confidence=self.confidence,
            n=n,
            count=hits,
            better=Better.LOWER,
            slice=f"gap {rung.gap:g}",
            status=Status.INCONCLUSIVE if reason else Status.OK,
            reason=reason,
            method="Clopper-Pearson",
            baseline=(("chance", 0.5), ("labels that mean nothing", idle / n)),
            caveats=(
                f"{seen.group}: {rung.shares[0]:.0%} against {rung.shares[1]:.0%} (in all rows {seen.share:.0%})",
                f"models of the same recipe on {rung.rows:,} rows each, not the deployed model",
            ),
        )


def _curve(found: list[Measurement]) -> Curve:
    points = tuple(
        Point(at=float(m.slice[4:]), value=m.value, low=m.low, high=m.high, n=m.n)
        for m in reversed(found)
        if m.value is not None and m.low is not None and m.high is not None
    )
    return Curve(name="models told apart", axis="gap between the shares", unit="share of models", points=points)


PLUGIN = Share
