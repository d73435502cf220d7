"""A model on trial beside the one that answers, on the same rows of the feed, once their labels have come.

Both are asked anew about every row, whoever answered it then: so it says the same of a shadow and of a canary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.target import Target
from temper.kernels.contest import Contest, Winner, contest
from temper.monitoring.labels import Cohort

Array = np.ndarray[Any, Any]


def challenged(rows: Cohort, champion: Target, challenger: Target, edge: float) -> Contest:
    """What wrong decisions cost, as a share of the dearest, or how many there are where nothing says what they cost.

    Rows on which both decide alike need no label: whatever it is, they lose alike.
    """
    old, new = (np.asarray(model.scores(rows.x))[:, 1] >= edge for model in (champion, challenger))
    differ, known = old != new, rows.labelled
    counted = known | ~differ
    first, second = (np.where(differ, _loss(rows, flagged), 0.0)[counted] for flagged in (old, new))
    return contest(first, second, unknown=int((~counted).sum()))


def said(found: Contest, cost: bool) -> str:
    """It in a line: the difference with its ends, of how many rows, what that says, and what would decide."""
    what = "what a row costs, as a share of the dearest" if cost else "the share of wrong decisions"
    if not found.n:
        return f"no row of the trial is old enough to have a label, so {what} is not known"
    figure = f"{what} changes by {100 * found.mean:+.2g} % ({100 * found.low:+.2g} to {100 * found.high:+.2g} %)"
    if found.winner is not Winner.NOBODY:
        return f"{figure} over {found.n:,} rows: {found.winner}"
    needed = "" if found.needed is None else f"; about {max(found.needed - found.n, 1):,} more rows would decide"
    return f"{figure} over {found.n:,} rows: {found.winner}{needed}"


def _loss(rows: Cohort, flagged: Array) -> Array:
    """Of each row, from 0 to 1; where no label has come it means nothing."""
    if rows.cost is None:
        return np.asarray((rows.y == 1) != flagged, dtype=np.float64)
    amounts = rows.cost.amounts(rows.x, rows.schema)
    amounts = None if amounts is None else np.maximum(amounts, 0.0)
    ones = np.ones(len(rows), dtype=np.int64)
    dearest = max(float(rows.cost.per_row(ones, ones == 0, amounts).max(initial=0.0)), rows.cost.false_positive)
    return np.asarray(rows.cost.per_row(rows.y, flagged, amounts) / (dearest or 1.0))
