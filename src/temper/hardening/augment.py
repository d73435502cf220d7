"""Training rows copied with the moves an attacker could make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.hardening._refit import trainable, with_moved_copies


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Fit again with copies of the rows moved at random inside the schema, truth kept, class 1 copied more often.

    Misleads where a move really changes the truth (a fraud moved far enough is an honest payment): clean recall pays
    for a radius that is too large. Probabilities rise with the share of copies, so choose the threshold again.
    `radius` is in the units of `norm` ("cost": the schema's prices).
    Source: the noise-augmented baseline of Chen et al., "Robust decision trees against adversarial examples", 2019.

    >>> Augment(radius=2.0).positive_copies
    8
    """

    needs: ClassVar[Access] = Access.RETRAIN
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"radius": 1.5}, {"radius": 6.0})
    copies: int = 0
    positive_copies: int = 8
    norm: str = "cost"
    radius: float = 3.0
    schema: Schema | None = None

    def __post_init__(self) -> None:
        if self.copies < 0 or self.positive_copies < 0 or self.copies + self.positive_copies == 0:
            raise TemperError("augment makes no copies", fix="set copies or positive_copies to a number above zero")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same family fitted on the rows and their copies."""
        trainable(target, "augment")
        if self.schema is None:
            raise Unsupported(
                "augment needs a schema that says what an attacker can change, and there is none",
                fix="describe the inputs under `schema:`",
            )
        more = with_moved_copies(
            data,
            self.schema,
            rng,
            copies=self.copies,
            positive_copies=self.positive_copies,
            norm=self.norm,
            radius=self.radius,
        )
        if len(more) == len(data):
            raise Unsupported(
                "augment found no row that an attacker could move within the schema",
                fix="say in the schema which columns an attacker can change",
            )
        return target.refit(more, Recipe(seed=rng.integer()))


PLUGIN = Augment
