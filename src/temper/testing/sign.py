"""The law of signs of an attack, beside those of all comparisons: customers who change are not accused."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.testing.comparison import found, reference, scored, window
from temper.testing.law import require
from temper.testing.scenes import schema, table

_WINDOWS, _ALARM, _N = 12, 1e-3, 400


def law_other_customers_are_no_attack(sign: type[Any]) -> None:
    """Where a column that no attacker sets has moved, and risk with it, up or down, there is no sign of an attack."""
    known, age = reference(), schema().index("age")
    for turn in range(_WINDOWS):
        rows = table(_N, 100 + turn)
        rows[:, age] += np.linspace(-40.0, 40.0, _WINDOWS)[turn]
        p = found(sign, window(known, scored(rows))).p
        require(not (p < _ALARM).any(), f"accuses customers whose ages moved (p {p.min(initial=1.0):.1g})")


LAWS = (law_other_customers_are_no_attack,)
