"""Quality of scores and flags against the truth, with NumPy alone; equal to scikit-learn where both are defined.

`y` is (n,) of 0 and 1, a score is higher for class 1. A figure that is undefined (one class only, nothing flagged) is
NaN, never a made-up zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.errors import TemperError

NAN = float("nan")


def auc(y: Any, score: Any) -> float:
    """Area under the ROC curve: how often a random positive outranks a random negative, ties counting half.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    truth, values = _pair(y, score)
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return NAN
    order = np.argsort(values, kind="stable")
    ends = _ends(values[order])
    # Twice the mean rank inside a tie is first + last rank: whole numbers, so the sum is exact.
    starts = np.concatenate(([0], ends[:-1] + 1))
    hits = np.diff(np.concatenate(([0], np.cumsum(truth[order])[ends])))
    doubled = int((hits * (starts + ends + 2)).sum()) - positives * (positives + 1)
    return doubled / (2 * positives * negatives)


def average_precision(y: Any, score: Any) -> float:
    """Area under the precision-recall steps; read it beside its baseline, the share of positives.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    truth, values = _pair(y, score)
    positives = int(truth.sum())
    if not positives:
        return NAN
    order = np.argsort(-values, kind="stable")
    ends = _ends(values[order])
    found = np.cumsum(truth[order])[ends]
    precision = found / (ends + 1)
    return float((np.diff(np.concatenate(([0], found))) * precision).sum() / positives)


def recall_at(y: Any, score: Any, threshold: float) -> float:
    """Share of the positives whose score reaches the threshold.

    >>> recall_at([0, 1, 1], [0.9, 0.2, 0.7], 0.5)
    0.5
    """
    truth, values = _pair(y, score)
    return _ratio(int((truth & (values >= threshold)).sum()), int(truth.sum()))


def precision_at(y: Any, score: Any, threshold: float) -> float:
    """Share of the rows whose score reaches the threshold that are positive.

    >>> precision_at([0, 1, 1], [0.9, 0.2, 0.7], 0.5)
    0.5
    """
    truth, values = _pair(y, score)
    flagged = values >= threshold
    return _ratio(int((truth & flagged).sum()), int(flagged.sum()))


def f1(y: Any, flag: Any) -> float:
    """Harmonic mean of precision and recall of the flagged rows.

    >>> f1([0, 1, 1, 0], [1, 1, 0, 0])
    0.5
    """
    truth, flagged = _pair(y, flag)
    hit = int((truth & (flagged != 0)).sum())
    return _ratio(2 * hit, int(truth.sum()) + int((flagged != 0).sum()))


def kappa(a: Any, b: Any) -> float:
    """Agreement of two labellings beyond chance (Cohen, 1960); any number of classes.

    >>> kappa([0, 1, 1, 0], [0, 1, 0, 0])
    0.5
    """
    first, second = np.asarray(a).ravel(), np.asarray(b).ravel()
    if first.shape != second.shape:
        raise TemperError(f"kappa needs two labellings of one length, got {len(first)} and {len(second)}")
    n = len(first)
    if not n:
        return NAN
    labels, codes = np.unique(np.concatenate((first, second)), return_inverse=True)
    left, right = (np.bincount(part, minlength=len(labels)) for part in (codes[:n], codes[n:]))
    chance = int((left * right).sum())
    return _ratio(n * int((first == second).sum()) - chance, n * n - chance)


def brier(y: Any, p: Any) -> float:
    """Mean squared error of probabilities; `p` (n,) or (n, 2) for class 1, or (n, k) summed over the classes.

    >>> round(brier([0, 1], [0.1, 0.8]), 4)
    0.025
    """
    chances = np.asarray(p, dtype=float)
    truth = np.asarray(y)
    if chances.ndim == 2 and chances.shape[1] > 2:
        hot = truth[:, None] == np.arange(chances.shape[1])
        return float(((chances - hot) ** 2).sum(axis=1).mean())
    truth, chances = _pair(truth, chances[:, -1] if chances.ndim == 2 else chances)
    return float(((chances - truth) ** 2).mean()) if len(truth) else NAN


def expected_calibration_error(y: Any, p: Any, bins: int = 15) -> float:
    """Mean gap between stated and observed rate over bins of equal width, weighted by rows.

    `p` (n,) is the probability of class 1; (n, k) is read as top-class confidence against being right. Depends on
    `bins` and is biased upwards for few rows, so compare only at the same n.
    Source: Naeini, Cooper & Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015.

    >>> round(expected_calibration_error([0, 1, 1, 1], [0.7, 0.7, 0.7, 0.7]), 4)
    0.05
    """
    chances = np.asarray(p, dtype=float)
    hits = np.asarray(y)
    if chances.ndim == 2:
        hits, chances = chances.argmax(axis=1) == hits, chances.max(axis=1)
    truth, chances = _pair(hits, chances)
    if not len(truth):
        return NAN
    # Bins are closed on the right, as in the source; a probability of exactly 0 belongs to the first.
    place = np.clip(np.ceil(chances * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=truth - chances, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def _pair(y: Any, score: Any) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, Any]]:
    truth, values = np.asarray(y), np.asarray(score, dtype=float)
    if truth.shape != values.shape or truth.ndim != 1:
        raise TemperError(f"truth and scores must be two vectors of one length, got {truth.shape} and {values.shape}")
    if np.isnan(values).any():
        raise TemperError("scores contain NaN", fix="drop the rows without a score and report how many")
    return truth != 0, values


def _ends(ordered: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The last position of every run of equal values."""
    return np.concatenate((np.flatnonzero(np.diff(ordered)), [len(ordered) - 1]))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else NAN
