"""Fit on what was accepted and on new rows that nothing speaks against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

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
    """Hold back the new rows that `validation.snapshot_diff` accuses, or cannot clear, and fit the model on the rest.

    With `doubtful`, whatever lies in an over-full box waits, though other columns say that it may be drift: stamps
    without a wrong label look no different. Accepted rows always stay. Where no box is over-full it changes nothing, so
    it is judged by poisoned tables that are compared with the accepted one before each fit. Misleads where the accepted
    table was poisoned already; under strong drift most new rows may wait, and the model does not learn what is new.
    Source: Cretu et al., "Casting out demons: sanitizing training data for anomaly sensors", 2008 (filter against
    accepted data, then fit); the filter is `temper.kernels.since_accepted`.

    >>> Quarantined(level=1e-4).level
    0.0001
    """

    needs: ClassVar[Access] = Access.RETRAIN
    of_data: ClassVar[bool] = True
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"doubtful": False},)
    level: float = 1e-3
    doubtful: bool = True
    accepted: Data | None = None
    schema: Schema | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The model fitted without the rows held back; `Unsupported` without accepted rows, and for values."""
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
        held = seen.accused | seen.over_full if self.doubtful else seen.accused
        return target.refit(data.take(np.flatnonzero(~held)), Recipe(seed=rng.integer()))


PLUGIN = Quarantined
