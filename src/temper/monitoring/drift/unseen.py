"""Categories that were not there before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.monitoring.reference import Window, unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Whether more values of a category are new than would be without drift, where there are always some.

    Of the reference one half says which categories there are and the other how many values are new to it: the window is
    counted like the other half, so the exact test of two rates holds. Misleads where a new category is meant to come
    (it is drift all the same), and is blind to known ones that change places.
    Source: Fisher, 1935; Good, "The population frequencies of species", 1953 (that new ones are to be expected).

    >>> from temper.core.schema import Column, Schema
    >>> from temper.monitoring.reference import Reference
    >>> kind = Schema(columns=(Column(name="kind", type="category", categories=("a", "b", "c")),))
    >>> known = Reference.fit(np.arange(1_000)[:, None] % 2, kind)
    >>> Unseen().compare(Window.of(known, np.array([[0.0], [1.0], [2.0], [2.0]]), np.arange(4))).values
    array([0.5])
    """

    def compare(self, window: Window) -> Moved:
        """The share of values that are new, less what is usual."""
        known, now = window.reference, window.tally
        columns = np.flatnonzero(known.cells.category)
        new = unseen(known.cells, known.seen, now)[columns]
        fresh, n, m = known.fresh[columns], known.held_present[columns], now.present[columns]
        p = np.where(new * n > fresh * m, drift.rates(fresh, n, new, m), 1.0)
        with np.errstate(invalid="ignore"):
            values = new / m - fresh / n
        return Moved(columns=columns, values=values, p=p)


PLUGIN = Unseen
