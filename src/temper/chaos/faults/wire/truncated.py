"""Answers end too early."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.effect import Effect
from temper.core.errors import ConfigError
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """Only the share `part` of an answer's body arrives, then the line is closed in order.

    Misleads where the answer's length is not told beforehand: then only its content shows that something is missing.
    Source: toxiproxy's toxic "limit_data".

    >>> Truncated(part=0.25).meet(0, 0.0, Draws(0, "x")).part
    0.25
    """

    part: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.part < 1:
            raise ConfigError(f"part is {self.part!r}", fix="a share of the answer, 0 to below 1")

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        """What is done to exchange number `at`, `age` seconds after the fault began."""
        return Effect(part=self.part)


PLUGIN = Truncated
