"""Values missing because of what they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import features, level, table
from temper.stress._lost import least, sample, values
from temper.stress._strike import chances, fill, follow, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingNotAtRandom:
    """Values go missing because of what they are: large amounts that a form refuses, high incomes that nobody tells.

    Severity 1-5 empties 1, 5, 10, 20, 33 % of the cells: three times as often at the top of a column, never at its
    bottom. A missing one-hot group is all zeros, any other value NaN. Places are those among the rows given, so a row
    depends on the others.
    Misleads where small values are what goes missing, and for codes, whose order means nothing.
    Source: Rubin, "Inference and missing data", 1976 (MNAR).

    >>> x = np.arange(1000.0)[:, None]
    >>> lost = np.isnan(MissingNotAtRandom().apply(x, 3, Draws(0, "mnar"))[:, 0])
    >>> bool(lost[500:].mean() > 3 * lost[:500].mean())
    True
    """

    rates: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.33)
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with empty values; the same cells and more at a higher severity."""
        rate, out = level(self.rates, severity), table(x)
        found, few = features(self.schema, out, self.columns), sample(out)
        for feature, drawn in zip(found, chances(rng, len(out), found), strict=True):
            limit = least(values(few, feature, slice(None)), rate).take(steps(drawn))
            fill(out, np.flatnonzero(values(out, feature, slice(None)) >= limit), feature, feature.empty)
        return follow(self.schema, out, x)


PLUGIN = MissingNotAtRandom
