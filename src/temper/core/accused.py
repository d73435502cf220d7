"""What a check of the training rows hands back: its figures, and the rows it speaks against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temper.core.measure import Measurement


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accused:
    """`ids` (k,) are the sample numbers of training rows that somebody should look at, or leave out.

    >>> Accused(measurements=(), ids=[3, 7]).ids
    [3, 7]
    """

    measurements: tuple[Measurement, ...]
    ids: Any
