"""Another version answers."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.effect import Effect
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongVersion:
    """The answer says that version `version` gave it, as after a rollout that went to some replicas only.

    Misleads about the harm: the scores stay those of the right version. It shows whether anybody looks at the name.
    Source: Open Inference Protocol, version 2 (`model_version` of an answer).

    >>> WrongVersion(version="7").meet(0, 0.0, Draws(0, "x")).fields
    (('model_version', '7'),)
    """

    version: str = "another"

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        """What is done to exchange number `at`, `age` seconds after the fault began."""
        return Effect(fields=(("model_version", self.version),))


PLUGIN = WrongVersion
