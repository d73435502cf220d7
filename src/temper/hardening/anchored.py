"""A part of the decision from what an attacker cannot change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening._grown import attacker
from temper.hardening._member import member
from temper.hardening._refit import columns_of, trainable, with_disguises
from temper.targets.averaged import Averaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """Average two models: one fitted on all columns, with copies of class 1 in the disguise of class 0, and one that
    sees only the columns no attacker can change, whose share of the average is `anchor`.

    A disguise takes over the movable values of a row of class 0 as far as the money goes. Misleads where the columns
    out of reach say little: then their part of the decision is noise, and recall pays. A row that they do not mark can
    still be disguised: no defence on these columns can hold it.
    `norm`, `radius`: what the attacker may spend (None: the budget handed in, else cost 2), times `share`. `strength`:
    how strongly the first model is regularised; the second always is.
    Source: Globerson & Roweis, "Nightmare at test time: robust learning by feature deletion", 2006; Biggio, Fumera &
    Roli, "Multiple classifier systems for robust classifier design in adversarial environments", 2010.

    >>> Anchored(anchor=0.3).copies
    8
    """

    needs: ClassVar[Access] = Access.RETRAIN
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"anchor": 0.2}, {"anchor": 0.5})
    anchor: float = 0.33
    copies: int = 8
    strength: float = 0.7
    norm: str = "cost"
    radius: float | None = None
    share: float = 1.0
    schema: Schema | None = None
    budget: Budget | None = None

    def __post_init__(self) -> None:
        if not 0 < self.anchor < 1 or self.copies < 1:
            raise TemperError(
                f"anchored with {self.copies} copies and an anchor of {self.anchor:g}",
                fix="make one copy at least, and choose an anchor in (0, 1)",
            )

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The average of the two; `Unsupported` where all columns can be moved, or none."""
        trainable(target, "anchored")
        schema = columns_of(self.schema, data, "anchored")
        if target.classes != 2 or target.kind is ScoreKind.VALUE:
            raise Unsupported(
                "anchored copies rows of class 1 of a model of two classes, and this is none",
                fix="use augment or subspaces for several classes",
            )
        fixed = np.flatnonzero([not (column.movable or column.formula) for column in schema.columns])
        if not 0 < len(fixed) < len(schema.columns):
            raise Unsupported(
                f"anchored needs columns that can be moved and columns that cannot, and {len(fixed)} of "
                f"{len(schema.columns)} cannot",
                fix="say in the schema which columns are attacker: immutable",
            )
        norm, radius = attacker(self.budget, self.norm, self.radius, self.share)
        more = with_disguises(data, schema, rng, copies=self.copies, norm=norm, radius=radius)
        whole = Recipe(regularise=self.strength, seed=rng.integer())
        return Averaged(
            members=(
                member(target, more, np.arange(len(schema.columns)), whole),
                member(target, data, fixed, Recipe(regularise=1.0, seed=rng.integer(1))),
            ),
            weights=(1.0 - self.anchor, self.anchor),
        )


PLUGIN = Anchored
