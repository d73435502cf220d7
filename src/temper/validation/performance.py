"""How well the model judges untouched rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.counts import resampled
from temper.kernels.loss import decide, flagged_score
from temper.kernels.rate import measure_rate
from temper.kernels.weighted import Ranked, resamples
from temper.validation._measured import estimate, missing, probabilities, scored

NAME = "performance"
_CELLS = 8_000_000  # rows times replicates of one bootstrap: about a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Ranking and decisions on held-out rows, each with an interval, beside what a model without knowledge would reach.

    Two classes: `auc`, `average_precision`, and at the operating threshold `recall`, `precision`, `f1`, `alert_rate`.
    More classes: `accuracy`, `log_loss`. Values: `r2`, `mae`.
    Misleads when held-out rows resemble training rows more than tomorrow's will: split by time or by person.
    Source: Saito & Rehmsmeier, "The precision-recall plot is more informative than the ROC plot when evaluating binary
    classifiers on imbalanced datasets", 2015.

    >>> Performance(replicates=100).replicates
    100
    """

    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """Measurements over the rows of the scene."""
        if not len(scene.x):
            return (missing(NAME, "auc", Status.INCONCLUSIVE, "there are no held-out rows"),)
        scores = scored(scene)
        count = int(min(self.replicates, max(200, _CELLS // len(scores))))
        rng = Draws(self.seed, NAME).generator()
        if scene.kind is ScoreKind.VALUE:
            return _values(np.asarray(scene.y, dtype=np.float64), scores[:, 0], count, rng)
        if scene.classes > 2:
            return _classes(scene, scores, count, rng)
        return (*_ranking(scene, scores, count, rng), *_decisions(scene, scores, self.replicates, rng))


def _ranking(scene: Scene, scores: Any, count: int, rng: np.random.Generator) -> tuple[Measurement, ...]:
    y = np.asarray(scene.y)
    ones, n = int((y == 1).sum()), len(y)
    if min(ones, n - ones) < 2:
        reason = f"only {min(ones, n - ones)} of {n} rows are of the rarer class"
        names = ("auc", "average_precision")
        return tuple(missing(NAME, m, Status.INCONCLUSIVE, reason, n=n, better=Better.HIGHER) for m in names)
    ranked, once = Ranked.of(y, flagged_score(scores, scene.kind)), np.ones((1, n))
    drawn = [(ranked.auc(w), ranked.average_precision(w)) for w in resamples(n, count, rng)]
    areas, precisions = (np.concatenate(part) for part in zip(*drawn, strict=True))
    few = (f"only {min(ones, n - ones)} rows of the rarer class",) if min(ones, n - ones) < 30 else ()
    auc, ap = float(ranked.auc(once)[0]), float(ranked.average_precision(once)[0])
    by_chance = (("chance", 0.5),), (("share of class 1", ones / n),)
    return (
        estimate(NAME, "auc", auc, areas, n, Better.HIGHER, baseline=by_chance[0], caveats=few),
        estimate(NAME, "average_precision", ap, precisions, n, Better.HIGHER, baseline=by_chance[1], caveats=few),
    )


def _decisions(scene: Scene, scores: Any, count: int, rng: np.random.Generator) -> tuple[Measurement, ...]:
    one = np.asarray(scene.y) == 1
    flag = np.asarray(decide(scores, scene.kind, scene.threshold)) == 1
    n, hits, flags, ones = len(one), int((one & flag).sum()), int(flag.sum()), int(one.sum())
    at = "the class with the larger score" if scene.threshold is None else f"{scene.threshold:g}"
    table = np.array([[n - ones - flags + hits, flags - hits], [ones - hits, hits]])
    drawn = resampled(table, count, rng)
    twice = 2 * drawn[:, 1, 1]
    reached = twice + drawn[:, 0, 1] + drawn[:, 1, 0]
    f1 = 2 * hits / (ones + flags) if ones + flags else np.nan
    random = flags / n
    caveats = (f"threshold: {at}",)
    always = 2 * ones / (ones + n) if ones else 0.0
    ratios = np.divide(twice, reached, out=np.full(len(drawn), np.nan), where=reached > 0)
    return (
        _rate("recall", hits, ones, caveats, (("always negative", 0.0), ("as many alarms at random", random))),
        _rate("precision", hits, flags, caveats, (("as many alarms at random", ones / n),)),
        estimate(NAME, "f1", f1, ratios, n, Better.HIGHER, caveats=caveats, baseline=(("always positive", always),)),
        measure_rate(
            NAME, "alert_rate", flags, n, better=Better.NEITHER, caveats=caveats, baseline=(("base rate", ones / n),)
        ),
    )


def _rate(metric: str, count: int, n: int, caveats: tuple[str, ...], baseline: tuple[Any, ...]) -> Measurement:
    if not n:
        what = "no row of class 1" if metric == "recall" else "no row is flagged"
        return missing(NAME, metric, Status.INCONCLUSIVE, what, better=Better.HIGHER)
    return measure_rate(NAME, metric, count, n, better=Better.HIGHER, caveats=caveats, baseline=baseline)


def _classes(scene: Scene, scores: Any, count: int, rng: np.random.Generator) -> tuple[Measurement, ...]:
    y = np.asarray(scene.y).astype(np.int64)
    n, right = len(y), int((decide(scores, scene.kind, None) == y).sum())
    shares = np.bincount(y) / n
    accuracy = measure_rate(
        NAME, "accuracy", right, n, better=Better.HIGHER, baseline=(("largest class", float(shares.max())),)
    )
    lost = -np.log(np.clip(probabilities(scores, scene.kind)[np.arange(n), y], 1e-15, 1.0))
    drawn = np.concatenate([w @ lost / n for w in resamples(n, count, rng)])
    prior = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
    base = (("class shares alone", prior),)
    return accuracy, estimate(NAME, "log_loss", float(lost.mean()), drawn, n, Better.LOWER, unit="nats", baseline=base)


def _values(y: Any, predicted: Any, count: int, rng: np.random.Generator) -> tuple[Measurement, ...]:
    n, centred = len(y), y - y.mean()
    squared, missed = (y - predicted) ** 2, np.abs(y - predicted)
    drawn = [
        (1 - w @ squared / np.maximum(w @ centred**2 - (w @ centred) ** 2 / n, 1e-300), w @ missed / n)
        for w in resamples(n, count, rng)
    ]
    ratios, errors = (np.concatenate(part) for part in zip(*drawn, strict=True))
    spread = float((centred**2).sum())
    r2 = 1 - float(squared.sum()) / spread if spread > 0 else np.nan
    guess = float(np.abs(y - np.median(y)).mean())
    return (
        estimate(NAME, "r2", r2, ratios, n, Better.HIGHER, baseline=(("always the mean", 0.0),)),
        estimate(NAME, "mae", float(missed.mean()), errors, n, Better.LOWER, baseline=(("always the median", guess),)),
    )


PLUGIN = Performance
