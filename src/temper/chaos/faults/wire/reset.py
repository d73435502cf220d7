"""The line breaks in the middle of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.effect import Effect
from temper.core.errors import ConfigError
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """After the share `part` of an answer's body the line is reset.

    Misleads about short answers: the kernel of whoever asks may throw the first part away together with the line.
    Source: toxiproxy's toxic "reset_peer"; RFC 9293, section 3.10.7 (resets).

    >>> Reset().meet(0, 0.0, Draws(0, "x")).part
    0.5
    """

    part: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.part < 1:
            raise ConfigError(f"part is {self.part!r}", fix="a share of the answer, 0 to below 1")

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        """What is done to exchange number `at`, `age` seconds after the fault began."""
        return Effect(part=self.part, reset=True)


PLUGIN = Reset
