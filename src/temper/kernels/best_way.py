"""What somebody with several ways may expect of the best of them: the largest of several means, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.errors import TemperError
from temper.kernels.clustered import bounded_mean


def best_way(ways: Sequence[Any], confidence: float = 0.95) -> tuple[int, float, float, float]:
    """Which way has the largest mean, that mean, and an interval for the largest of the true means.

    Of each way the independent numbers between 0 and 1 of those who went it; ways may share who goes them or not. The
    upper end is the largest of the ways' own: whichever is the best, its own holds, so looking at several needs no
    correction. The lower end is the largest of ends that each have a part of the error, since any may be large by luck.
    Misleads on the safe side: where two ways are alike, the larger mean lies .4 standard errors of their difference
    above what either is worth, and no estimate is free of that. Of ways that can be gone one after another, whoever
    goes them all reaches more than the best of them.
    Source: Berger, "Multiparameter hypothesis testing and acceptance sampling", 1982 (ends); Blumenthal & Cohen,
    "Estimation of the larger of two normal means", 1968 (there is no unbiased estimate).

    >>> best, value, low, high = best_way([[0.0] * 20, [1.0, 0.0] * 10])
    >>> best, value, round(low, 3), round(high, 3)
    (1, 0.5, 0.246, 0.728)
    """
    if not ways or not all(len(way) for way in ways):
        raise TemperError(f"{len(ways)} ways, of which some were gone by nobody, have no best", fix="try each of them")
    told = [bounded_mean(way, confidence, "gate") for way in ways]
    part = 1.0 - (1.0 - confidence) / len(ways)
    best = max(range(len(ways)), key=lambda at: told[at][0])
    low = max(bounded_mean(way, part, "gate")[1] for way in ways)
    return best, told[best][0], low, max(high for _, _, high in told)
