"""Several faults at once."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from temper.core.data import Array
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import level
from temper.stress._together import together

_USUAL = (("missing", ()), ("unit_error", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Several faults at once, one after the other: what one of them leaves standing the next may take.

    `faults` are pairs of a stressor and its columns (none: all of them), at the same severity. Without `faults` an
    assessment races for the worst pair of faults on two columns, and measures that one on rows that had no part in the
    race; elsewhere it is `missing` with `unit_error`.
    Misleads where the two never happen together: it is the worst that could, not what is likely.
    Source: Jamieson & Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016
    (successive halving).

    >>> import numpy as np
    >>> faults = (("unit_error", ("0",)), ("missing", ("1",)))
    >>> x = Combined(faults=faults).apply(np.ones((1000, 2)), 5, Draws(0, "combined"))
    >>> bool(np.isnan(x[:, 1]).any() and (x[:, 0] == 1000).any())
    True
    """

    faults: tuple[tuple[str, tuple[str, ...]], ...] = ()
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with all faults; `Unsupported` where one of them finds nothing to work on."""
        level((1, 2, 3, 4, 5), severity)
        stressors = [_built(name, tuple(of)) for name, of in self.faults or _USUAL]
        placed = [replace(one, schema=self.schema) if "schema" in _options(one) else one for one in stressors]
        return together(placed, x, severity, rng)


@cache
def _built(name: str, columns: tuple[str, ...]) -> Any:
    """A stressor of the room, kept: to list a folder takes longer than to stress a table."""
    return Room("temper.stress").build(name, {"columns": columns} if columns else {})


def _options(stressor: Any) -> set[str]:
    return {field.name for field in fields(stressor)}


PLUGIN = Combined
