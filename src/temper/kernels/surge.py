"""Whether a count is more than earlier counts promise, where counts vary more than chance alone would let them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_DISPERSIONS = np.logspace(-3.0, 1.0, 65)[:, None]
"""Variances of the rate, in squares of its mean: from almost none to a standard deviation of three times the mean."""
_STEPS = np.linspace(-8.0, 8.0, 97)[None, :]


def surge_p(many: int, before: Sequence[int], exposures: Sequence[float] | None = None) -> float:
    """The probability of so many or more, given those `before` of as much each, or of `exposures` times as much.

    Counts are Poisson at rates that are gamma distributed (negative binomial). Neither the mean nor the dispersion is
    known: p is averaged over what earlier counts leave of both, from Jeffreys' prior of a rate and a dispersion that is
    as likely in every order of size. So few earlier counts, or uneven ones, promise little.
    Source: Aitchison & Dunsmore, "Statistical Prediction Analysis", 1975; Noufaily et al., "An improved algorithm for
    outbreak detection in multiple surveillance systems", 2013 (negative binomial counts of earlier weeks).

    >>> calm, uneven = [20, 18, 23, 19, 21, 20, 22, 17], [2, 60, 0, 25, 9, 1, 44, 19]
    >>> surge_p(60, calm) < 1e-4 < 0.01 < surge_p(60, uneven)
    True
    >>> surge_p(60, calm) < 0.01 < surge_p(60, calm, [1 / 3] * 8)
    True
    """
    from scipy.special import betainc, gammaln

    if many <= 0 or not before:
        return 1.0
    counts, n = np.asarray(before, dtype=float), len(before)
    much = np.ones(n) if exposures is None else np.asarray(exposures, dtype=float)
    shape, middle = 1.0 / _DISPERSIONS, (counts.sum() + 0.5) / much.sum()
    width = np.sqrt(_DISPERSIONS / n + 1.0 / (counts.sum() + 0.5))  # of the logarithm of the mean, by its variance
    mean = middle * np.exp(width * _STEPS)
    known = (gammaln(counts[None, :] + shape) - gammaln(shape)).sum(axis=1, keepdims=True)
    known = known + n * shape * np.log(shape) + counts.sum() * np.log(mean)
    known = known - ((shape[..., None] + counts) * np.log(shape[..., None] + mean[..., None] * much)).sum(axis=-1)
    known = known + 0.5 * np.log(mean) + np.log(width)
    weight = np.exp(known - known.max())
    tail = betainc(float(many), shape, mean / (shape + mean))
    return float(min(1.0, (weight * tail).sum() / weight.sum()))
