"""How much answers tell: the decimals they carry, and what can be done with them."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST = 9
"""Decimals are counted up to here: nobody needs more of them to solve for a model."""

_COARSE, _SHARED = 3, 0.5


def decimals(values: Any) -> int:
    """The fewest decimals that tell all `values` (any shape), at most `MOST`; single precision is no more than it is.

    >>> decimals(np.array([0.25, 0.5])), decimals(np.array([1.0, 0.0]))
    (2, 0)
    >>> decimals(np.float32([0.1, 0.7])), decimals(np.array([1 / 3]))
    (1, 9)
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    single = bool((known == known.astype(np.float32)).all())
    slack = float(np.finfo(np.float32 if single else np.float64).eps) * np.maximum(np.abs(known), 1.0)
    return next((d for d in range(MOST) if (np.abs(known - known.round(d)) <= slack).all()), MOST)


def opens(scores: Any, labels_only: bool) -> str:
    """What answers like these (n, k) are and which attacks they open, in words; some twenty rows or more.

    >>> opens(np.eye(2)[[0, 1] * 20], True)
    'decisions alone, which open copies fitted to decisions, for more queries'
    """
    if labels_only or np.isin(scores, (0.0, 1.0)).all():
        return "decisions alone, which open copies fitted to decisions, for more queries"
    carried, shared = decimals(scores), len(np.unique(scores, axis=0)) < _SHARED * len(scores)
    if carried <= _COARSE:
        return f"scores of {carried} decimals, which open copies fitted to scores; equations end at the rounding"
    walked = " and, as many rows share an answer, walks from leaf to leaf of a tree" if shared else ""
    return f"scores of {_many(carried)} decimals, which open copies fitted to scores, exact equations{walked}"


def _many(carried: int) -> str:
    return f"{carried} or more" if carried == MOST else str(carried)
