"""Answers do not come."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.effect import Effect
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """No answer comes before the fault is over, and the line stays open: only a deadline of one's own helps.

    Misleads where whoever asks closes the line by itself: then one measures that, and not the model.
    Source: Nygard, "Release It!", 2007 (blocked threads).

    >>> Hang().meet(0, 0.0, Draws(0, "x")).hang
    True
    """

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        """What is done to exchange number `at`, `age` seconds after the fault began."""
        return Effect(hang=True)


PLUGIN = Hang
