"""ECOD from a table of quantiles: how far in the tails a row lies, column by column, one row like a thousand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
KNOTS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tails:
    """-log tail probabilities of every column: `tables` (d, 3, 256) are knots, left and right tails.

    `columns` (d, 5): how many knots count; whether they are categories, which have the share of the value itself on
    both sides; what a gap counts; what a category counts that was not there; the sign of the skewness.
    """

    tables: Array
    columns: Array


def tails(x: Array, category: Array) -> Tails:
    """The table of ordinary rows (n, d), NaN where a value is missing.

    Knots lie at the values themselves where there are few, else at levels even on the logit scale, which are dense in
    the tails. Between knots, and beyond the last ones, the logarithm goes on straight: a value no row had counts the
    more the farther out it lies, which the published score does not do.
    """
    n, d = x.shape
    wide = max(KNOTS, *(len(np.unique(x[:, at])) for at in np.flatnonzero(category)), 0)
    tables, columns = np.zeros((d, 3, wide)), np.ones((d, 5))
    tables[:, 0] = np.inf
    columns[:, 1] = category
    columns[:, 2] = -np.log(np.maximum(np.isnan(x).sum(axis=0), 0.5) / n)
    columns[:, 3] = np.log(2.0 * n)
    columns[:, 4] = 0.0
    for at in range(d):
        values = np.sort(x[np.isfinite(x[:, at]), at].astype(float))
        if len(values):
            _fill(tables[at], columns[at], values)
    return Tails(tables=tables, columns=columns)


def tail_scores(table: Tails, x: Array) -> tuple[Array, float]:
    """The score (n,) of each row, the larger the farther out, infinite for infinite values; and the largest of them.

    Misleads where rows are strange only in how columns go together: each column is looked at alone.
    Source: Li et al., "ECOD: Unsupervised outlier detection using empirical cumulative distribution functions", 2022.

    >>> table = tails(np.arange(100.0)[:, None], np.array([False]))
    >>> tail_scores(table, np.array([[0.0], [50.0]]))[0].round(2)
    array([4.61, 0.69])
    """
    out = np.empty(len(x))
    return out, _compiled()(x, table.tables, table.columns, out)


@cache  # an import statement costs half as much as the row
def _compiled() -> Any:
    from temper.kernels._jit_ecod import tail_sums

    return tail_sums


def _fill(table: Array, column: Array, values: Array) -> None:
    """The knots of one column of sorted finite values, and its tails there."""
    n, knots = len(values), np.unique(values)
    if len(knots) > KNOTS and not column[1]:
        levels = 1.0 / (1.0 + np.exp(-np.linspace(-np.log(n), np.log(n), KNOTS)))
        knots = np.unique(values[np.round(levels * (n - 1)).astype(int)])
    upto, under = np.searchsorted(values, knots, "right"), np.searchsorted(values, knots, "left")
    same, size = -np.log((upto - under) / n), len(knots)
    column[0] = size
    table[0, :size] = knots
    table[1, :size] = same if column[1] else -np.log(upto / n)
    table[2, :size] = same if column[1] else -np.log((n - under) / n)
    column[4] = 0.0 if size == 1 else np.sign(np.sum((values - values.mean()) ** 3))
