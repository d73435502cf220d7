"""How well decisions are expected to be right when every stated probability is true: figures without a label.

Blind to what this supposes: where the same rows come to have other labels (concept drift) nothing here moves.
Source: NannyML's confidence-based performance estimation; Bialek et al., "Estimating model performance under covariate
shift without labels", 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.seed import Draws

Array = np.ndarray[Any, Any]
FIGURES = ("accuracy", "precision", "recall", "specificity", "f1", "auc")
_DRAWS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrator:
    """A rising map from scores to probabilities: `scores` (k,) and `probabilities` (k,), straight lines between."""

    scores: Array
    probabilities: Array

    @staticmethod
    def fit(score: Array, y: Array) -> Calibrator:
        """The rising map that is closest to the labels (0 and 1) of rows with these scores.

        Source: Zadrozny & Elkan, "Transforming classifier scores into accurate multiclass probability estimates", 2002.

        >>> made = Calibrator.fit(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 1, 0, 1]))
        >>> made(np.array([0.0, 0.25, 0.35, 0.9]))
        array([0.  , 0.5 , 0.75, 1.  ])
        """
        from scipy.optimize import isotonic_regression

        scores, place, rows = np.unique(score, return_inverse=True, return_counts=True)
        rates = np.bincount(place, weights=y) / rows
        return Calibrator(scores=scores, probabilities=isotonic_regression(rates, weights=rows).x)

    def __call__(self, score: Array) -> Array:
        """The probability (n,) of each score; beyond the outermost scores as there."""
        return np.interp(score, self.scores, self.probabilities)


def expected(probability: Array, flagged: Array, score: Array) -> dict[str, float]:
    """The expected figures of rows with these probabilities of class 1, of which some are flagged; NaN without a row.

    Ratios are of expected counts. `score` ranks the rows for the area; rows of one score are tied, and count half.

    >>> found = expected(np.array([0.9, 0.6, 0.2]), np.array([True, True, False]), np.array([0.9, 0.6, 0.2]))
    >>> {name: round(value, 3) for name, value in found.items()}
    {'accuracy': 0.767, 'precision': 0.75, 'recall': 0.882, 'specificity': 0.615, 'f1': 0.811, 'auc': 0.817}
    """
    hits, missed = float(probability[flagged].sum()), float(probability[~flagged].sum())
    found = _figures(np.array([hits]), np.array([missed]), int(flagged.sum()), len(flagged))
    return {**{name: float(values[0]) for name, values in found.items()}, "auc": expected_auc(probability, score)}


def expected_auc(probability: Array, score: Array) -> float:
    """How often a row of class 1 is expected to rank above one of class 0, ties counting half; NaN where neither is."""
    _, place = np.unique(score, return_inverse=True)
    ones, noughts = np.bincount(place, weights=probability), np.bincount(place, weights=1.0 - probability)
    pairs = ones.sum() * noughts.sum()
    return float(ones @ (np.cumsum(noughts) - noughts / 2.0) / pairs) if pairs > 0.0 else float("nan")


def spread(probability: Array, flagged: Array, confidence: float = 0.95) -> dict[str, tuple[float, float]]:
    """Between which ends the figures of these very rows lie, had each its label by its probability; none of the area.

    Sums of labels are drawn as normal numbers of their variance: for windows of some hundred rows on.
    """
    variance = probability * (1.0 - probability)
    normal = Draws(0, "kernels.cbpe").generator().standard_normal((2, _DRAWS))
    hits, missed = (
        np.clip(probability[part].sum() + np.sqrt(variance[part].sum()) * row, 0.0, part.sum())
        for part, row in zip((flagged, ~flagged), normal, strict=True)
    )
    found = _figures(hits, missed, int(flagged.sum()), len(flagged))
    tail = (1.0 - confidence) / 2.0
    ends = {}
    for name, values in found.items():
        defined = values[np.isfinite(values)]
        ends[name] = tuple(np.quantile(defined, (tail, 1.0 - tail)).tolist()) if len(defined) else (np.nan, np.nan)
    return ends


def _figures(hits: Array, missed: Array, flags: int, n: int) -> dict[str, Array]:
    """From numbers of flagged and of other rows of class 1."""
    passed = n - flags - missed
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "accuracy": (hits + passed) / n,
            "precision": hits / flags,
            "recall": hits / (hits + missed),
            "specificity": passed / (n - hits - missed),
            "f1": 2.0 * hits / (hits + missed + flags),
        }
