"""What wrong decisions cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class CostMatrix:
    """The price of a missed row of class 1 (`false_negative`) and of a false alarm (`false_positive`).

    With `amount_column` a missed row costs `false_negative` times its value there: 1.0 loses the whole payment. A row
    whose amount is missing counts with the average of the others.

    >>> CostMatrix(false_negative=100, false_positive=2).per_row(np.array([1, 0]), np.array([False, True]))
    array([100.,   2.])
    """

    false_negative: float = 0.0
    false_positive: float = 0.0
    amount_column: str = ""

    def __post_init__(self) -> None:
        if self.false_negative < 0 or self.false_positive < 0 or not self.false_negative + self.false_positive > 0:
            raise TemperError("costs are not negative and one of them is above zero", fix="give both in one currency")

    def per_row(self, y: Array, flagged: Array, amounts: Array | None = None) -> Array:
        """What each decision costs (n,): `y` are the true classes, `flagged` says which rows were called class 1."""
        y, flagged = np.asarray(y), np.asarray(flagged, dtype=bool)
        missed = self.false_negative * (1.0 if amounts is None else np.asarray(amounts))
        return np.where((y == 1) & ~flagged, missed, 0.0) + np.where((y != 1) & flagged, self.false_positive, 0.0)

    def amounts(self, x: Array, schema: Schema) -> Array | None:
        """The amount at stake in each row of `x` (n, d), or None where no column names it."""
        if not self.amount_column:
            return None
        found = np.asarray(x)[:, schema.index(self.amount_column)]
        known = found[np.isfinite(found)]
        return np.where(np.isfinite(found), found, known.mean() if len(known) else 0.0)
