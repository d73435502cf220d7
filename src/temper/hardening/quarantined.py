"""Fit on what was accepted and on new rows that nothing speaks against."""

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
from temper.kernels.since_accepted import since_accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Hold back the new rows that `validation.snapshot_diff` accuses and fit the model on the rest.

    Accepted rows always stay. Where nothing is accused it changes nothing, so it is judged by poisoned tables that are
    compared with the accepted one before each fit. Misleads where the accepted table was poisoned already, and where
    the attacker's rows look like ordinary drift.
    Source: Cretu et al., "Casting out demons: sanitizing training data for anomaly sensors", 2008 (filter against
    accepted data, then fit); the filter is `temper.kernels.since_accepted`.

    >>> Quarantined(level=1e-4).level
    0.0001
    """

    needs: ClassVar[Access] = Access.RETRAIN
    of_data: ClassVar[bool] = True
    level: float = 1e-3
    accepted: Data | None = None
    schema: Schema | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The model fitted without the accused rows; `Unsupported` without accepted rows, and for values."""
        trainable(target, "quarantined")
        if target.kind is ScoreKind.VALUE:
            raise Unsupported("quarantined reads labels, and this target predicts a value", fix="use regularise")
        if self.accepted is None:
            raise Unsupported(
                "quarantined compares training rows with accepted ones, and there are none",
                fix="name the table you accepted last under data.accepted",
            )
        schema = columns_of(self.schema, data, "quarantined")
        halves = Draws(rng.integer(), "quarantined")
        seen = since_accepted(data, self.accepted, schema, halves, level=self.level)
        return target.refit(data.take(np.flatnonzero(~seen.accused)), Recipe(seed=rng.integer()))


PLUGIN = Quarantined
