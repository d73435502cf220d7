"""A row of a past incident, and how it has to be decided from now on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """One row in the Schema's order (NaN where a value is missing) that a model once decided wrongly. `id` is that of
    its content, `expected` the class it belongs to, `origin` who says so, `incident` what it is kept of.
    """

    id: str
    row: tuple[float, ...]
    expected: int
    origin: str
    incident: str
