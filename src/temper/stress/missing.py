"""Values missing completely at random."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import features, level, table
from temper.stress._strike import fill, follow, strikes


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Values go missing completely at random, cell by cell.

    Severity 1-5 empties 1, 5, 10, 20, 40 % of the cells. A missing one-hot group is all zeros, any other value NaN, and
    what derives from an empty value is computed from it.
    Misleads where values go missing for a reason: see `missing_at_random`, `missing_not_at_random` and `join_lost`.
    Source: Rubin, "Inference and missing data", 1976 (MCAR).

    >>> import numpy as np
    >>> x = Missing().apply(np.ones((1000, 2)), 5, Draws(0, "missing"))
    >>> bool(0.3 < np.isnan(x).mean() < 0.5)
    True
    """

    rates: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.4)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with empty values; the same cells and more at a higher severity."""
        rate, out = level(self.rates, severity), table(x)
        for feature, rows in strikes(rng, len(out), features(self.schema, out, self.columns), rate):
            fill(out, rows, feature, feature.empty)
        return follow(self.schema, out, x)


PLUGIN = Missing
