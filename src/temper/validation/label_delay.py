"""How wrong the model's own figures are while labels are still on their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.seed import Draws
from temper.kernels.loss import flagged_score
from temper.kernels.weighted import Ranked, resamples
from temper.validation._measured import estimate, missing, not_applicable, scored

NAME = "label_delay"
_GATED = 3  # of the five delays, as with stressors


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDelay:
    """What AUC reads while the labels of the latest rows are missing: frauds that nobody has reported count as honest.

    `auc_bias`: AUC with the labels known by then minus AUC with all labels, on the same scores; the rows of class 1 in
    the last 2, 5, 10, 20, 40 % of the rows are taken for class 0. The model answers as before, only the measuring
    suffers, so this is how far a monitor may be off without anything being wrong. Rows are in the order of their ids.
    Misleads where class 0 comes late too, and where ids do not follow the time.
    Source: Dal Pozzolo et al., "Credit card fraud detection: a realistic modeling and a novel learning strategy", 2018
    (verification latency).

    >>> LabelDelay().shares[2]
    0.1
    """

    shares: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.4)
    replicates: int = 500
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`auc_bias` at the third delay, with a curve over all of them."""
        if scene.classes != 2:
            return not_applicable(NAME, "labels on their way are a question of two classes")
        y = np.asarray(scene.y) == 1
        if min(y.sum(), len(y) - y.sum()) < 2:
            reason = f"only {min(y.sum(), len(y) - y.sum())} of {len(y)} rows are of the rarer class"
            return (missing(NAME, "auc_bias", Status.INCONCLUSIVE, reason, better=Better.NEITHER),)
        order = np.argsort(scene.ids, kind="stable")
        y, scores = y[order], np.asarray(flagged_score(scored(scene), scene.kind))[order]
        rng = Draws(self.seed, NAME).generator()
        told = [_known(y, share) for share in self.shares]
        if min(labels.sum() for labels in told) < 2:
            reason = "nearly all rows of class 1 are among the latest"
            return (missing(NAME, "auc_bias", Status.INCONCLUSIVE, reason, better=Better.NEITHER),)
        values, drawn = _biases(y, scores, told, rng, self.replicates)
        late = int((y & ~told[_GATED - 1]).sum())
        return (self._figure(values, drawn, len(y), late),)

    def _figure(self, values: Any, drawn: Any, n: int, late: int) -> Measurement:
        low, high = np.nanquantile(drawn, (0.025, 0.975), axis=1)
        points = [Point(at=0, value=0.0, low=0.0, high=0.0, n=n)]
        for at, value in enumerate(values):
            ends = float(min(low[at], value)), float(max(high[at], value))
            points.append(Point(at=100 * self.shares[at], value=float(value), low=ends[0], high=ends[1], n=n))
        return estimate(
            NAME,
            "auc_bias",
            float(values[_GATED - 1]),
            drawn[_GATED - 1],
            n,
            Better.NEITHER,
            unit="AUC as it reads minus AUC",
            baseline=(("all labels known", 0.0),),
            caveats=(f"{late:,} rows of class 1 in the last {self.shares[_GATED - 1]:.0%} not yet reported",),
            curve=Curve(
                name="label_delay: bias", axis="% of rows without labels", unit="bias of AUC", points=tuple(points)
            ),
        )


def _known(y: Any, share: float) -> Any:
    """The labels known by then: those of class 1 in the last `share` of the rows read as class 0."""
    out = np.array(y, dtype=bool)
    out[len(out) - int(np.ceil(share * len(out))) :] = False
    return out


def _biases(y: Any, scores: Any, told: list[Any], rng: np.random.Generator, replicates: int) -> tuple[Any, Any]:
    """AUC under each set of labels minus the true one (5,), and its bootstrap replicates (5, b), paired by rows."""
    ranked = [Ranked.of(labels, scores) for labels in (y, *told)]
    once = np.ones((1, len(y)))
    true, *read = (float(one.auc(once)[0]) for one in ranked)
    drawn = [np.array([one.auc(weights) for one in ranked]) for weights in resamples(len(y), replicates, rng)]
    all_drawn = np.concatenate(drawn, axis=1)
    return np.array(read) - true, all_drawn[1:] - all_drawn[0]


PLUGIN = LabelDelay
