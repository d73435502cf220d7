"""One deed of a ring: a victim, a mule account, and the orders that follow from the genes of a strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deeds:
    """Arrays (n,), and `genes` (n, genes). `actor` numbers the ring as it was that day, `ring` its place."""

    ring: Array
    variant: Array
    genes: Array
    actor: Array
    victim: Array
    coached: Array
    mule: Array
    cost: Array
    reported: Array
