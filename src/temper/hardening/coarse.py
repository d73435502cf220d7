"""Fewer thresholds to step over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.hardening._grown import attacker
from temper.hardening._refit import columns_of, trainable, with_moved_copies


@dataclass(frozen=True, slots=True, kw_only=True)
class Coarse:
    """Fit again on rows and moved copies whose numbers, where an attacker moves them, are rounded to `bins` values, so
    that few thresholds are left to step over.

    Misleads where a threshold that is left lies close to many rows: fewer steps, each of them larger. Answers are
    asked on unrounded rows, so only models that cut (trees) keep anything of it.
    `copies` of every row at random points of the radius (None: the budget handed in, else cost 2) times `share`.
    Source: Xu, Evans & Qi, "Feature squeezing: detecting adversarial examples in deep neural networks", 2018; the noise
    after Chen et al., "Robust decision trees against adversarial examples", 2019.

    >>> Coarse(bins=8).bins
    8
    """

    needs: ClassVar[Access] = Access.RETRAIN
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"bins": 32}, {"bins": 8})
    bins: int = 16
    copies: int = 4
    norm: str = "linf"
    radius: float | None = None
    share: float = 1.0
    schema: Schema | None = None
    budget: Budget | None = None

    def __post_init__(self) -> None:
        if self.bins < 2 or self.copies < 0:
            raise TemperError("coarse needs two bins and no negative copies", fix="set bins to 2 or more")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same family fitted on the rounded rows."""
        trainable(target, "coarse")
        schema = columns_of(self.schema, data, "coarse")
        norm, radius = attacker(self.budget, self.norm, self.radius, self.share)
        more = with_moved_copies(data, schema, rng, copies=self.copies, positive_copies=0, norm=norm, radius=radius)
        x = np.array(more.x, dtype=float)
        for at, column in enumerate(schema.columns):
            if (column.movable or column.formula) and column.type in ("number", "integer") and not column.group:
                x[:, at] = _rounded(x[:, at], np.asarray(data.x[:, at], dtype=float), self.bins)
        return target.refit(Data(x=x, y=more.y, ids=more.ids), Recipe(seed=rng.integer()))


def _rounded(values: Any, known: Any, bins: int) -> Any:
    """Each value as the middle one of its quantile; a missing one stays missing."""
    known = np.sort(known[~np.isnan(known)])
    if not len(known):
        return values
    edges = np.unique(known[np.linspace(0, len(known) - 1, bins + 1).astype(int)][1:-1])
    held = np.searchsorted(edges, known, side="right")
    own = np.unique(held)
    middle = np.array([known[held == at][(held == at).sum() // 2] for at in own])
    place = np.searchsorted(own, np.searchsorted(edges, values, side="right")).clip(0, len(own) - 1)
    return np.where(np.isnan(values), np.nan, middle[place])


PLUGIN = Coarse
