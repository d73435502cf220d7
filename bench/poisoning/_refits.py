"""Clean, poisoned and cured training rows compared by several refits: which stamped rows pass, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.seed import Draws
from temper.judges._pooled import paired_area_loss, paired_loss

Rows = Any
REFITS = 5
COLUMNS = ["", "clean twin", "poisoned", "cured", "poisoned - cured", "cured - clean", "AUC lost by the cure"]


def fitted(x: Rows, y: Rows) -> Any:
    """The model of these benches: 120 trees of depth 6."""
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=120, max_depth=6, n_jobs=1, random_state=0).fit(x, y)


def compared(name: str, three: Sequence[Data], held: Data, probe: Rows) -> list[str]:
    """A line of `COLUMNS`: stamped rows of class 1 that pass models of the clean, the poisoned and the cured rows.

    Means over refits on rows in another order with their range, as one fit says little of how a model decides a small
    box; differences are paired over rows, with the spread of refits.
    """
    fits = [_several(data, held, probe) for data in three]
    (clean, scores), (poisoned, _), (cured, cured_scores) = fits
    gains = [_interval(paired_loss(*pair)) for pair in ((poisoned, cured), (cured, clean))]
    lost = _interval(paired_area_loss(held.y, scores, cured_scores))
    return [f"{name} (n {len(probe):,})", *(_range(one) for one in (clean, poisoned, cured)), *gains, lost]


def _several(data: Data, held: Data, probe: Rows) -> tuple[Rows, Rows]:
    """Which probe rows pass (REFITS, n), and the scores of the held-out rows (REFITS, n)."""
    passed, scores = [], []
    for seed in range(REFITS):
        rows = data.take(Draws(seed, "order").generator().permutation(len(data)))
        model = fitted(rows.x, rows.y)
        scores.append(model.predict_proba(held.x)[:, 1].astype(float))
        cut = np.quantile(scores[-1], 1.0 - held.y.mean())
        passed.append(model.predict_proba(probe)[:, 1] < cut)
    return np.array(passed, dtype=float), np.array(scores)


def _range(passed: Rows) -> str:
    shares = passed.mean(axis=1)
    return f"{shares.mean():.3f} [{shares.min():.3f}, {shares.max():.3f}]"


def _interval(found: tuple[float, float, float]) -> str:
    return "{:+.3f} [{:+.3f}, {:+.3f}]".format(*found)
