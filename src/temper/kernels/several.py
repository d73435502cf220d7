"""Many p-values at once: corrected for their number, or the discoveries among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the order given: for claims that must all hold.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    >>> holm([0.01, 0.04])
    [0.02, 0.04]
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    corrected, highest = [1.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        corrected[at] = highest
    return corrected


def together(p_values: Sequence[float]) -> list[float]:
    """p-values of claims made at once: Holm's, and none above the largest uncorrected one, for where all of them hold.

    That all claims hold is one claim and needs no correction. For independent or positively dependent tests.
    Source: Hochberg, "A sharper Bonferroni procedure for multiple tests of significance", 1988 (its first step).

    >>> together([0.04, 0.045]), together([0.04, 0.5])
    ([0.045, 0.045], [0.08, 0.5])
    """
    most = max(p_values, default=1.0)
    return [min(one, most) for one in holm(p_values)]


def discoveries(p_values: Any, level: float = 0.05) -> np.ndarray[Any, Any]:
    """Positions whose claims hold with at most `level` of them false on average, smallest p-value first.

    Source: Benjamini & Hochberg, "Controlling the false discovery rate", 1995.

    >>> discoveries(np.array([0.9, 0.001, 0.04]))
    array([1])
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    passed = np.flatnonzero(p[order] <= level * np.arange(1, len(p) + 1) / max(len(p), 1))
    return order[: passed[-1] + 1] if len(passed) else order[:0]
