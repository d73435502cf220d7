"""How much the answers about a row say that it was trained on: the statistics of the membership attacks."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np

from temper.attacks.inversion._signals import Answers

Vector = np.ndarray[Any, Any]
_TINY = 1e-12
_CLIP = 1e-6  # probabilities in single precision are exact no further than this from certainty
_PRIOR = 4.0  # rows of prior knowledge in the variance of one row
_MOST = 200_000


def ratio(seen: Answers) -> Vector:
    """What the model gives over what the references give on average: RMIA with gamma 1.

    >>> ratio(Answers(own=np.array([0.9]), references=np.array([[0.5], [0.4]]), inside=np.array([[True], [False]])))
    array([2.])
    """
    return np.asarray(seen.own / np.maximum(seen.references.mean(axis=0), _TINY))


def likelihood(seen: Answers) -> Vector:
    """Log likelihood ratio of two t distributions of a row's logit, fitted on it and not, variances shrunk.

    With few references a row's own variance is mostly chance, so it is drawn to the variance of all rows.
    """
    own, given = logit(seen.own), logit(seen.references)
    return _log_t(own, given, seen.inside) - _log_t(own, given, ~seen.inside)


def learned(seen: Answers, rng: np.random.Generator) -> Vector:
    """A classifier that learned from the references what members look like beside what others say of them.

    Every reference plays the model once, beside every pair it has nothing to do with; needs two pairs or more.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    pairs = [slice(at, at + 2) for at in range(0, len(seen.references), 2)]
    shown, truth = [], []
    for played, beside in permutations(range(len(pairs)), 2):
        pair = pairs[beside]
        for at in (2 * played, 2 * played + 1):
            shown.append(_beside(seen.references[at], seen.references[pair], seen.inside[pair]))
            truth.append(seen.inside[at])
    table, member = np.concatenate(shown), np.concatenate(truth)
    if len(table) > _MOST:
        rows = rng.choice(len(table), _MOST, replace=False)
        table, member = table[rows], member[rows]
    model = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, min_samples_leaf=200, early_stopping=False, random_state=0
    ).fit(table, member)
    asked = [_beside(seen.own, seen.references[pair], seen.inside[pair]) for pair in pairs]
    return np.asarray(np.mean([model.decision_function(rows) for rows in asked], axis=0))


def logit(p: Vector) -> Vector:
    """Log odds, kept finite.

    >>> logit(np.array([0.5]))
    array([0.])
    """
    kept = np.clip(p, _CLIP, 1.0 - _CLIP)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _log_t(own: Vector, given: Vector, mask: Vector) -> Vector:
    """Log density of `own` among the masked references of each row, as a t distribution."""
    from scipy.stats import t

    count = np.maximum(mask.sum(axis=0), 1)
    mean = np.where(mask, given, 0.0).sum(axis=0) / count
    squares = np.where(mask, (given - mean) ** 2, 0.0).sum(axis=0)
    overall = squares.sum() / max(float((count - 1).sum()), 1.0) + _CLIP
    freedom = _PRIOR + count - 1
    spread = np.sqrt((_PRIOR * overall + squares) / freedom * (1.0 + 1.0 / count))
    return np.asarray(t.logpdf(own, df=freedom, loc=mean, scale=spread))


def _beside(own: Vector, pair: Vector, inside: Vector) -> Vector:
    """What a classifier is shown of a row: the model's answer beside those of a pair, fitted on it and not."""
    told, untold = np.where(inside[0], pair[0], pair[1]), np.where(inside[0], pair[1], pair[0])
    mean = (told + untold) / 2.0
    gaps = [logit(own) - logit(told), logit(own) - logit(untold), np.log((own + _TINY) / (mean + _TINY))]
    return np.column_stack([own, told, untold, mean, *gaps])
