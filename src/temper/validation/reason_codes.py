"""Whether the reasons a refused person would be told are the same from an equally good model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import Recipe, ScoreKind
from temper.kernels.loss import decide
from temper.kernels.weighted import resamples
from temper.validation._measured import estimate, missing, not_applicable, scored
from temper.validation._reasons import Explainer, by_id, overlap, overlap_by_chance

NAME = "reason_codes"
_FEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCodes:
    """The `codes` features that add most to the score of a row that is flagged, as somebody refused would be told them.

    `right_direction`: of these codes, the share where the score falls once the feature comes from a reference row of
    those not flagged. `refit_agreement`: Jaccard index of the codes with those of `fits` models of the same family,
    each fitted on the training rows drawn anew: another model that decides as well may give other reasons.
    Misleads where features carry the same news: one of them is named, and another one by the next fit, and both are
    right. A code says what the model used, not what the person could change.
    Source: CFPB Circular 2022-03, "Adverse action notification requirements in connection with credit decisions based
    on complex algorithms", 2022; Marx, Calmon & Ustun, "Predictive multiplicity in classification", 2020.

    >>> ReasonCodes().codes
    4
    """

    bare_fits: ClassVar[bool] = True
    codes: int = 4
    rows: int = 60
    references: int = 10
    rounds: int = 2
    fits: int = 2
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`right_direction` and `refit_agreement` over flagged rows."""
        if scene.kind is ScoreKind.VALUE or scene.classes != 2 or len(scene.schema.columns or ()) < 2:
            return not_applicable(NAME, "codes are for decisions between two classes, from tables")
        scene = by_id(scene)
        x = np.asarray(scene.x, dtype=np.float64)
        flagged = np.asarray(decide(scored(scene), scene.kind, scene.threshold)) == 1 if len(x) else np.zeros(0, bool)
        if flagged.sum() < _FEWEST or (~flagged).sum() < self.references:
            reason = f"{int(flagged.sum())} flagged rows and {int((~flagged).sum())} others are too few"
            names = ("right_direction", "refit_agreement")
            return tuple(missing(NAME, m, Status.INCONCLUSIVE, reason, better=Better.HIGHER) for m in names)
        rng = Draws(self.seed, NAME)
        drawn = [rng.generator(at).permutation(np.flatnonzero(part)) for at, part in enumerate((flagged, ~flagged))]
        rows, references = x[np.sort(drawn[0][: self.rows])], x[drawn[1][: self.references]]
        explainer = Explainer.of(scene, self.rounds)
        values = explainer.values(rows, references, rng.generator(2))
        return self._direction(explainer, values, rows, references), self._refits(scene, values, rows, references, rng)

    def _direction(self, explainer: Explainer, values: Any, rows: Any, references: Any) -> Measurement:
        top, before = self._top(values), explainer.score(rows)
        codes = np.argsort(-values, axis=1, kind="stable")[:, :top]
        falls = np.stack([explainer.without(rows, codes[:, [at]], references) < before for at in range(top)], axis=1)
        said = np.take_along_axis(values, codes, axis=1) > 0  # a feature that adds nothing is no reason
        share = (falls & said).sum(axis=1), said.sum(axis=1)
        return self._mean(
            "right_direction", *share, "share of the codes", (f"{int(said.sum())} codes; {explainer.how}",), ()
        )

    def _refits(self, scene: Scene, values: Any, rows: Any, references: Any, rng: Draws) -> Measurement:
        top, train = self._top(values), scene.train
        try:
            if train is None or not len(train) or scene.fit is None:
                raise Unsupported("there are no training rows to fit another model on")
            again = scene.fit([_redrawn(train, rng, at) for at in range(self.fits)], Recipe(seed=self.seed))
        except Unsupported as unable:
            return missing(NAME, "refit_agreement", Status.UNTRIED, unable.message, better=Better.HIGHER)
        alike = []
        for at, target in enumerate(again):
            other = Explainer.of(replace(scene, target=target, kind=target.kind), self.rounds)
            alike.append(overlap(values, other.values(rows, references, rng.generator(20 + at)), top))
        each = np.mean(alike, axis=0)
        base = (("two random orders", overlap_by_chance(values.shape[1], top)),)
        about = (f"{self.fits} fits on training rows drawn anew",)
        ones = np.ones(len(each))
        return self._mean("refit_agreement", each, ones, f"Jaccard index of the {top} codes", about, base)

    def _mean(self, metric: str, hits: Any, of: Any, unit: str, caveats: Any, base: Any) -> Measurement:
        n, rng = len(hits), Draws(self.seed, NAME).generator(30)
        drawn = [
            np.divide(w @ hits, w @ of, out=np.full(len(w), np.nan), where=w @ of > 0)
            for w in resamples(n, self.replicates, rng)
        ]
        share = float(hits.sum() / of.sum()) if of.sum() else np.nan
        more: dict[str, Any] = {"unit": unit, "caveats": caveats, "baseline": base}
        return estimate(NAME, metric, share, np.concatenate(drawn), n, Better.HIGHER, **more)

    def _top(self, values: Any) -> int:
        return max(1, min(self.codes, int(values.shape[1]) // 2))


def _redrawn(train: Data, rng: Draws, at: int) -> Data:
    """As many training rows, drawn with replacement."""
    order = np.argsort(np.asarray(train.ids), kind="stable")
    return train.take(order[rng.generator(10 + at).integers(0, len(train), len(train))])


PLUGIN = ReasonCodes
