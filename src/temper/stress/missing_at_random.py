"""Values missing where another column is large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import Feature, features, level, table
from temper.stress._lost import limits, places
from temper.stress._strike import chances, fill, follow


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingAtRandom:
    """Values go missing in the rows where another column, `driver`, is large: a form that older customers leave empty.

    Severity 1-5 empties 1, 5, 10, 20, 33 % of the cells: three times as often where the driver is largest, never where
    it is smallest. Without `driver` one is drawn per seed; it is never empty itself. A missing one-hot group is all
    zeros, any other value NaN. Places are those among the rows given, so a row depends on the others.
    Misleads where the driver drawn is not what decides in life: name it.
    Source: Rubin, "Inference and missing data", 1976 (MAR).

    >>> x = np.column_stack([np.arange(1000.0), np.ones(1000)])
    >>> lost = np.isnan(MissingAtRandom(driver="0").apply(x, 3, Draws(0, "mar"))[:, 1])
    >>> bool(lost[500:].mean() > 3 * lost[:500].mean())
    True
    """

    rates: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.33)
    driver: str = ""
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with empty values; the same cells and more at a higher severity."""
        rate, out = level(self.rates, severity), table(x)
        found = features(self.schema, out, self.columns)
        driver = self._driver(out, found, rng)
        others = [feature for feature in found if feature.name != driver.name]
        below = limits(places(out, driver, np.arange(len(out))), rate)
        for feature, drawn in zip(others, chances(rng, len(out), others), strict=True):
            fill(out, np.flatnonzero(drawn < below), feature, feature.empty)
        return follow(self.schema, out, x)

    def _driver(self, out: Array, found: tuple[Feature, ...], rng: Draws) -> Feature:
        if self.driver:
            return features(self.schema, out, (self.driver,))[0]
        able = [f for f in features(self.schema, out) if len(found) > 1 or f.name != found[0].name]
        if not able:
            raise Unsupported(f"there is no column besides {found[0].name} to decide what is missing")
        return able[rng.integer() % len(able)]


PLUGIN = MissingAtRandom
