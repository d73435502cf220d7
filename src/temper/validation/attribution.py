"""Whether what each feature is said to add to a score adds up, holds still, and matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.kernels.weighted import resamples
from temper.validation._measured import estimate, missing, not_applicable
from temper.validation._reasons import Explainer, by_id, overlap, overlap_by_chance

NAME = "attribution"
_METRICS = {"additivity": Better.LOWER, "background_agreement": Better.HIGHER, "deletion": Better.HIGHER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Shapley values of rows beside reference rows, and three questions to them. Exact for trees (TreeSHAP), exact for
    scores that add up over features, else sampled orders.

    `additivity`: how far a row's values and the references' mean miss the score that the model answers, as a share of
    the scores' spread. `background_agreement`: Jaccard index of a row's `top` features (by size) with two disjoint sets
    of references. `draws_agreement` (sampled values): the same with one set and other orders. `deletion`: how much
    further the score moves to the references' mean when the `top` features come from a reference than when as many
    random ones do, as a share of its distance.
    Misleads for strongly dependent features: a value taken from another row makes rows that do not exist, and both the
    values and their test ask the model about them.
    Source: Lundberg & Lee, "A unified approach to interpreting model predictions", 2017; Lundberg et al., "From local
    explanations to global understanding with explainable AI for trees", 2020; Samek et al., "Evaluating the
    visualization of what a deep neural network has learned", 2017 (deletion).

    >>> Attribution(top=3).references
    10
    """

    top: int = 4
    rows: int = 60
    references: int = 10
    rounds: int = 2
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`additivity`, `background_agreement`, `deletion`, and `draws_agreement` where values are sampled."""
        if not scene.schema.columns or np.ndim(scene.x) != 2 or len(scene.schema.columns) < 2:
            return not_applicable(NAME, "reasons need a table of at least two columns")
        if len(scene.x) < 4 * self.references:
            reason = f"{len(scene.x)} rows are too few, {4 * self.references} are needed"
            return tuple(missing(NAME, m, Status.INCONCLUSIVE, reason, better=b) for m, b in _METRICS.items())
        scene = by_id(scene)
        x, rng = np.asarray(scene.x, dtype=np.float64), Draws(self.seed, NAME)
        order = rng.generator().permutation(len(x))
        one, two, rows = np.split(order, [self.references, 2 * self.references])
        rows = np.sort(rows[: self.rows])
        explainer = Explainer.of(scene, self.rounds)
        values, other = (explainer.values(x[rows], x[part], rng.generator(at)) for at, part in ((1, one), (2, two)))
        told = [
            self._additivity(explainer, values, x[rows], x[one]),
            self._agreement("background_agreement", values, other, "two sets of reference rows", explainer.how),
            self._deletion(explainer, values, x[rows], x[one], rng),
        ]
        if not explainer.exact:
            again = explainer.values(x[rows], x[one], rng.generator(3))
            told.append(self._agreement("draws_agreement", values, again, "other orders", explainer.how))
        return tuple(told)

    def _additivity(self, explainer: Explainer, values: Any, x: Any, references: Any) -> Measurement:
        said = explainer.score(references).mean() + values.sum(axis=1)
        answered = explainer.score(x)
        spread = float(answered.std()) or 1.0
        off = np.abs(said - answered) / spread
        how = (explainer.how, f"largest {off.max():.2g}")
        unit = "share of the scores' spread"
        return estimate(
            NAME, "additivity", float(off.mean()), self._mean(off, 4), len(x), Better.LOWER, unit=unit, caveats=how
        )

    def _agreement(self, metric: str, first: Any, second: Any, between: str, how: str) -> Measurement:
        top = self._top(first)
        alike = overlap(np.abs(first), np.abs(second), top)
        return estimate(
            NAME,
            metric,
            float(alike.mean()),
            self._mean(alike, 5),
            len(first),
            Better.HIGHER,
            unit=f"Jaccard index of the top {top}",
            baseline=(("two random orders", overlap_by_chance(first.shape[1], top)),),
            caveats=(f"between {between}; {how}",),
        )

    def _deletion(self, explainer: Explainer, values: Any, x: Any, references: Any, rng: Draws) -> Measurement:
        top, generator = self._top(values), rng.generator(6)
        away = explainer.score(x) - explainer.score(references).mean()
        sign = np.where(away < 0, -1.0, 1.0)
        best = np.argsort(-values * sign[:, None], axis=1, kind="stable")[:, :top]
        random = np.argsort(generator.random(values.shape), axis=1)[:, :top]
        moved = [sign * explainer.without(x, chosen, references) for chosen in (best, random)]
        further, distance = moved[1] - moved[0], np.abs(away)
        drawn = [
            np.divide(w @ further, w @ distance, out=np.full(len(w), np.nan), where=w @ distance > 0)
            for w in resamples(len(x), self.replicates, rng.generator(7))
        ]
        share = float(further.sum() / distance.sum()) if distance.sum() > 0 else np.nan
        return estimate(
            NAME, "deletion", share, np.concatenate(drawn), len(x), Better.HIGHER,
            unit="share of the distance", baseline=(("random features", 0.0),), caveats=(explainer.how,),
        )  # fmt: skip

    def _top(self, values: Any) -> int:
        return max(1, min(self.top, int(values.shape[1]) // 2))

    def _mean(self, each: Any, step: int) -> Any:
        """Bootstrap replicates of the mean over rows."""
        rng = Draws(self.seed, NAME).generator(step)
        return np.concatenate([w @ each / len(each) for w in resamples(len(each), self.replicates, rng)])


PLUGIN = Attribution
