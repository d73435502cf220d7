"""Empty values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import Feature, features, level, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Values go missing, cell by cell at random, and in a share of rows a whole feed of columns is lost together.

    Severity 1-5 empties 1, 5, 10, 20, 40 % of the cells; `joint` times that share of rows loses half of the columns at
    once (drawn once per seed, as when one join fails). A missing one-hot group is all zeros, any other value NaN.
    Misleads where values go missing for a reason: loss that depends on the value hurts more than loss at random.
    Source: Rubin, "Inference and missing data", 1976.

    >>> x = Missing().apply(np.ones((1000, 2)), 5, Draws(0, "missing"))
    >>> bool(0.3 < np.isnan(x).mean() < 0.5)
    True
    """

    rates: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.4)
    joint: float = 0.25
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with empty values; the same cells and more at a higher severity."""
        rate, out = level(self.rates, severity), table(x)
        found, rows = features(self.schema, out, self.columns), np.arange(len(out))
        feed = _feed(found, rng)
        failed = np.asarray(rng.uniform(rows, 0)) < rate * self.joint
        for feature in found:
            gone = np.asarray(rng.uniform(rows, feature.at[0] + 1)) < rate
            gone = gone | failed if feature.name in feed else gone
            out[np.ix_(gone, feature.where)] = 0.0 if feature.hot else np.nan
        return out


def _feed(found: tuple[Feature, ...], rng: Draws) -> frozenset[str]:
    order = rng.generator().permutation(len(found))
    return frozenset(found[i].name for i in order[: math.ceil(len(found) / 2)])


PLUGIN = Missing
