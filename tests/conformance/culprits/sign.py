"""Signs of an attack that accuse customers who change; `Honest` does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.moved import Moved
from temper.kernels import drift
from temper.monitoring.security.trains import Trains
from temper.testing import sign


class BelowOnly:
    """Holds the rows below the threshold against all others: where risk falls, they are more."""

    def compare(self, window: Any) -> Moved:
        known, column = window.reference, len(window.reference.cells) - 1
        places, knots = known.cells.places(column), known.cells.of(column)
        end = 2 * int(np.searchsorted(knots, np.float32(known.threshold))) + 1
        before, now = (int(tally.counts[places][:end].sum()) for tally in (known.tally, window.tally))
        p = drift.excess(before, known.tally.rows - before, now, window.tally.rows - now, 1.0)
        return Moved(columns=np.array([column]), values=np.array([1.0]), p=np.array([p]))


BITES = {sign.law_other_customers_are_no_attack: (BelowOnly,)}
INNOCENT = Trains
