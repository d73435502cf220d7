"""Fit without the training rows that carry a stamp and somebody else's label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening._refit import columns_of, trainable
from temper.kernels.planted import scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """Drop the rows that `validation.planted_rows` accuses and fit the model on the rest.

    On a table without a stamp it changes nothing; what it is worth shows when the training table is poisoned, so it is
    judged by poisoned tables that are screened before each fit. Misleads where the attacker keeps to what the search
    is blind to: no wrong label, wide stamps, few rows, or rows picked to look like the class they are moved to.
    Source: Steinhardt et al., "Certified defenses for data poisoning attacks", 2017 (filter, then fit); the filter is
    `temper.kernels.planted`.

    >>> Screened(level=1e-4).level
    0.0001
    """

    needs: ClassVar[Access] = Access.RETRAIN
    of_data: ClassVar[bool] = True
    level: float = 0.01
    schema: Schema | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The model fitted without the accused rows; `Unsupported` for values, which have no labels."""
        trainable(target, "screened")
        if target.kind is ScoreKind.VALUE:
            raise Unsupported("screened reads labels, and this target predicts a value", fix="use regularise")
        schema = columns_of(self.schema, data, "screened")
        x, ids = np.asarray(data.x, dtype=np.float64), np.asarray(data.ids)
        chooses = Draws(rng.integer(), "screened", ids=ids).uniform(np.arange(len(data)), 0) < 0.5
        _, accused = scan(x, np.asarray(data.y), schema.categorical, chooses, level=self.level)
        return target.refit(data.take(np.flatnonzero(~accused)), Recipe(seed=rng.integer()))


PLUGIN = Screened
