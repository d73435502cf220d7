"""An error is answered."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.effect import Effect
from temper.core.errors import ConfigError
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The status `code` is answered at once in place of the model: 503 for one that is not well, 429 for one that has
    too much.

    Misleads about overload: a model that has too much answers slowly first, and errors later.
    Source: RFC 9110, section 15.6; RFC 6585 (429).

    >>> Status(code=429).meet(0, 0.0, Draws(0, "x")).status
    429
    """

    code: int = 503

    def __post_init__(self) -> None:
        if not 400 <= self.code <= 599:
            raise ConfigError(f"{self.code!r} is no status of an error", fix="400 to 599")

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        """What is done to exchange number `at`, `age` seconds after the fault began."""
        return Effect(status=self.code)


PLUGIN = Status
