"""Nobody listens."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.effect import Effect
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The line is reset as soon as something is asked, before anything is answered.

    Misleads by a hair: where nobody listens the line itself is refused, here it is opened and reset when it is used.
    Source: toxiproxy's toxic "reset_peer".

    >>> Refuse().meet(0, 0.0, Draws(0, "x")).refuse
    True
    """

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        """What is done to exchange number `at`, `age` seconds after the fault began."""
        return Effect(refuse=True)


PLUGIN = Refuse
