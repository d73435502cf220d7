"""How much worse a model is on stressed rows than on the same rows untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.target import ScoreKind
from temper.kernels.loss import decide, flagged_score
from temper.kernels.rate import paired_rates
from temper.kernels.weighted import Ranked, auc_drop, r2_drop, resamples

_CELLS = 8_000_000  # rows times replicates of one bootstrap: about a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """`value` = figure on clean rows minus figure on stressed rows, in [`low`, `high`]; `method` says how."""

    value: float
    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """The figure a model is judged by: AUC (two classes), accuracy (more) or R2 (values).

    >>> Yardstick.of(ScoreKind.MARGIN, 2).name
    'AUC'
    """

    name: str
    kind: ScoreKind

    @staticmethod
    def of(kind: ScoreKind, classes: int) -> Yardstick:
        """The yardstick of this kind of target."""
        if kind is ScoreKind.VALUE:
            return Yardstick(name="R2", kind=kind)
        return Yardstick(name="AUC" if classes == 2 else "accuracy", kind=kind)

    def lack(self, y: Array) -> str:
        """Why these rows cannot be judged, or ""."""
        if self.name == "AUC":
            ones = int((np.asarray(y) == 1).sum())
            few = min(ones, len(y) - ones)
            return f"only {few} of {len(y)} rows are of the rarer class, at least 2 are needed" if few < 2 else ""
        if self.name == "R2" and (len(y) < 2 or np.ptp(np.asarray(y)) == 0):
            return "all true values are the same"
        return "" if len(y) else "there are no rows"

    def figure(self, y: Array, scores: Array) -> float:
        """The figure itself on rows with scores (n, k)."""
        if self.name == "AUC":
            return float(Ranked.of(y, self._score(scores)).auc(np.ones((1, len(y))))[0])
        if self.name == "R2":
            error, spread = (y - scores[:, 0]) ** 2, (y - np.mean(y)) ** 2
            return float(1 - error.sum() / spread.sum())
        return float((decide(scores, self.kind, None) == y).mean())

    def drop(self, y: Array, clean: Array, stressed: Array, confidence: float = 0.95) -> Drop:
        """The paired drop with a closed-form interval: cheap enough for every severity and column."""
        if self.name == "accuracy":
            before, after = (decide(scores, self.kind, None) == y for scores in (clean, stressed))
            gain, low, high = paired_rates(before, after, confidence)
            return Drop(value=-gain, low=-high, high=-low, method="paired score interval (Tango)")
        name = "DeLong" if self.name == "AUC" else "linearised"
        measure = auc_drop if self.name == "AUC" else r2_drop
        value, error = measure(y, self._score(clean), self._score(stressed))
        reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
        return Drop(value=value, low=value - reach, high=value + reach, method=f"paired {name}")

    def bootstrap(
        self, y: Array, clean: Array, stressed: Array, rng: np.random.Generator, replicates: int, confidence: float
    ) -> Drop:
        """The paired drop with a percentile bootstrap over rows; both sides see the same rows."""
        count = int(min(replicates, max(200, _CELLS // len(y))))
        value = self.figure(y, clean) - self.figure(y, stressed)
        drops = self._resampled(y, clean, stressed)
        drawn = np.concatenate([drops(weights) for weights in resamples(len(y), count, rng)])
        tail = (1 - confidence) / 2
        low, high = np.quantile(drawn[np.isfinite(drawn)], (tail, 1 - tail))
        return Drop(value=value, low=float(low), high=float(high), method=f"paired bootstrap, {count} replicates")

    def _resampled(self, y: Array, clean: Array, stressed: Array) -> Callable[[Any], Any]:
        """The drop per row of bootstrap weights (b, n)."""
        if self.name == "AUC":
            first, second = Ranked.of(y, self._score(clean)), Ranked.of(y, self._score(stressed))
            return lambda weights: first.auc(weights) - second.auc(weights)
        if self.name == "R2":
            lost = (y - stressed[:, 0]) ** 2 - (y - clean[:, 0]) ** 2
            centred = y - np.mean(y)  # else the sum of squares cancels
            return lambda w: w @ lost / (w @ centred**2 - (w @ centred) ** 2 / len(y))
        right = decide(clean, self.kind, None) == y
        lost = right * 1.0 - (decide(stressed, self.kind, None) == y)
        return lambda weights: weights @ lost / len(y)

    def _score(self, scores: Array) -> Array:
        return flagged_score(scores, self.kind)
