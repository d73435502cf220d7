"""What a comparison of a window with the reference says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
TOGETHER = -1
"""The column of what is said of all columns together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moved:
    """How far (k,) columns have moved, and p (k,) that they have not; `columns` (k,) are positions, or `TOGETHER`.

    A column that cannot be compared, for want of values on one side, has a value of NaN and a p of one.
    """

    columns: Array
    values: Array
    p: Array


class Comparison(Protocol):
    """A frozen keyword-only dataclass in one file of `monitoring/drift` or `monitoring/security`."""

    def compare(self, window: Any) -> Moved:
        """What has moved in a `Window` since its reference."""
