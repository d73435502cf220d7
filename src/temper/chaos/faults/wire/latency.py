"""Answers come late."""

from __future__ import annotations

import math
from dataclasses import dataclass

from temper.chaos.effect import Effect
from temper.core.errors import ConfigError
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Every answer comes `ms` milliseconds later: always (`fixed`), that many in the middle with a long tail
    (`lognormal`, of this `sigma`), or that many more with every `step_seconds` that the fault lasts (`step`).

    Misleads about a network: there, bytes of one answer are late one by one, and delays of neighbours belong together.
    Source: toxiproxy's toxic "latency"; Dean & Barroso, "The tail at scale", 2013 (why tails matter).

    >>> Latency(ms=50).meet(0, 0.0, Draws(0, "x")).wait
    0.05
    """

    ms: float = 200.0
    shape: str = "fixed"
    sigma: float = 1.0
    step_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.shape not in ("fixed", "lognormal", "step"):
            raise ConfigError(f"latency has no shape {self.shape!r}", fix="fixed, lognormal or step")
        if not (0 <= self.ms < math.inf and 0 <= self.sigma <= 5 and self.step_seconds > 0):
            raise ConfigError("a latency is no time", fix="ms at least 0, sigma 0 to 5, step_seconds above 0")

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        """What is done to exchange number `at`, `age` seconds after the fault began."""
        times = 1.0
        if self.shape == "lognormal":
            times = math.exp(self.sigma * float(rng.normal([at], 0)[0]))
        elif self.shape == "step":
            times = 1.0 + math.floor(age / self.step_seconds)
        return Effect(wait=self.ms / 1e3 * times)


PLUGIN = Latency
