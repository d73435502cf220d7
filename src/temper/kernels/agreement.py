"""How far people agree beyond what chance would have them agree: Cohen's kappa of two, Fleiss' of any number.

Kappa depends on how common the answers are: where nearly all cases deserve one answer it is low however well people
agree, so read it beside the plain share of agreement.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def cohen(table: Any) -> tuple[float, float]:
    """Kappa of the table (k, k) of two people's answers, and its standard error; NaN where both gave only one answer.

    Misleads below about 20 cases, and the error is 0, not small, where they agree in all.
    Sources: Cohen, "A coefficient of agreement for nominal scales", 1960; Fleiss, Cohen & Everitt, "Large sample
    standard errors of kappa and weighted kappa", 1969.

    >>> value, error = cohen([[20, 5], [10, 15]])
    >>> round(value, 2), round(error, 2)
    (0.4, 0.13)
    """
    counts = np.asarray(table, dtype=float)
    n = counts.sum()
    if not n:
        return math.nan, math.nan
    share = counts / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    agreed, chance = float(np.trace(share)), float(rows @ columns)
    if chance > 1 - 1e-12:
        return math.nan, math.nan
    value = (agreed - chance) / (1 - chance)
    on = float((np.diag(share) * (1 - (rows + columns) * (1 - value)) ** 2).sum())
    weights = (columns[:, None] + rows[None, :]) ** 2
    off = float(((share - np.diag(np.diag(share))) * weights).sum()) * (1 - value) ** 2
    variance = (on + off - (value - chance * (1 - value)) ** 2) / (n * (1 - chance) ** 2)
    return value, math.sqrt(max(variance, 0.0))


def fleiss(counts: Any) -> float:
    """Kappa of cases (n, k): how many people gave each answer to each case, two at least, not always the same people.

    With two answers a case it is Scott's pi. NaN where everybody always gave one answer.
    Source: Fleiss, "Measuring nominal scale agreement among many raters", 1971.

    >>> fleiss([[2, 0], [0, 2], [1, 1], [2, 0]])
    0.4666666666666667
    """
    answers = np.asarray(counts, dtype=float)
    many = answers.sum(axis=1)
    kept = answers[many >= 2]
    if not len(kept):
        return math.nan
    many = many[many >= 2]
    agreed = float((((kept**2).sum(axis=1) - many) / (many * (many - 1))).mean())
    common = kept.sum(axis=0) / kept.sum()
    chance = float((common**2).sum())
    return math.nan if chance > 1 - 1e-12 else (agreed - chance) / (1 - chance)
