"""What an attacker may spend."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.errors import TemperError

NORMS = ("linf", "l2", "l1", "l0", "cost", "edits", "words")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Queries per row, seconds per task, tokens, radius in a norm, cost in the schema's units, share of the data.

    A radius is measured in the columns' own `scale`, for texts in edits (characters) or words; None means no limit of
    that kind.

    >>> Budget(norm="linf", radius=8 / 255, queries=100).queries
    100
    """

    queries: int | None = None
    seconds: float | None = None
    tokens: int | None = None
    norm: str = "linf"
    radius: float | None = None
    cost: float | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise TemperError(f"unknown norm {self.norm!r}", fix=f"use one of {', '.join(NORMS)}")
        for name in ("queries", "seconds", "tokens", "radius", "cost", "share"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise TemperError(f"budget {name} is {value!r}", fix=f"give {name} a number that is not negative")
