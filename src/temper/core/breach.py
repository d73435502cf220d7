"""What a check hands back that can show rows: its figures, and what breaks a promise about the model."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.finding import Example
from temper.core.measure import Measurement

PROMISE = "A declared relation is broken: "
"""How the title of a breach begins; the relation stands behind it and no figure, so that it can be found again."""

AGAIN = "Rows of a past incident are decided wrongly again: "
"""The same for an incident that happens again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One promise that some rows break: what is said, how bad ("high", "medium"), rows that show it, what repairs it.

    `slice` is that of the figure it belongs to.
    """

    title: str
    metric: str
    slice: str
    severity: str
    detail: str
    examples: tuple[Example, ...] = ()
    defences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Breached:
    """Figures and the breaches behind them.

    >>> Breached(measurements=()).breaches
    ()
    """

    measurements: tuple[Measurement, ...]
    breaches: tuple[Breach, ...] = ()
