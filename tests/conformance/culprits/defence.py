"""Defences, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from temper.core.errors import Unsupported
from temper.core.target import Access, Recipe
from temper.testing import defence
from temper.testing.toys import Constant

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Fits again with a higher penalty."""

    def apply(self, target: Any, data: Any, rng: Any) -> Any:
        if Access.RETRAIN not in target.access:
            raise Unsupported("it cannot be fitted again")
        return self.fit(target, data, rng)

    def fit(self, target: Any, data: Any, rng: Any) -> Any:
        return target.refit(data, Recipe(regularise=0.2))


class Closes(Honest):
    """Takes the gradients away, and calls that robust."""

    def fit(self, target: Any, data: Any, rng: Any) -> Any:
        return replace(Honest.fit(self, target, data, rng), access=Access.LABELS | Access.RETRAIN)


class InPlace(Honest):
    """Hardens the target it is given."""

    def fit(self, target: Any, data: Any, rng: Any) -> Any:
        object.__setattr__(target, "inner", Honest.fit(self, target, data, rng).inner)
        return replace(target)


class Nothing(Honest):
    """Gives the target back as it came."""

    def apply(self, target: Any, data: Any, rng: Any) -> Any:
        return target


class Scribbles(Honest):
    """Relabels the rows it is given."""

    def fit(self, target: Any, data: Any, rng: Any) -> Any:
        data.y[:5] = 1
        return Honest.fit(self, target, data, rng)


class Restless(Honest):
    """Fits otherwise every time."""

    def fit(self, target: Any, data: Any, rng: Any) -> Any:
        return target.refit(data, Recipe(regularise=0.1 * (next(CALLS) % 7)))


class Flattens(Honest):
    """Answers everything alike, which nothing can break."""

    def fit(self, target: Any, data: Any, rng: Any) -> Any:
        return Constant()


class Crashes(Honest):
    """Does not look whether the target can be fitted again."""

    def apply(self, target: Any, data: Any, rng: Any) -> Any:
        if Access.RETRAIN not in target.access:
            raise AttributeError("no fit")
        return self.fit(target, data, rng)


INNOCENT = Honest
BITES = {
    defence.law_gives_at_least_the_same_access: (Closes,),
    defence.law_leaves_the_target_alone: (InPlace, Nothing),
    defence.law_leaves_the_data_alone: (Scribbles,),
    defence.law_same_seed_same_model: (Restless,),
    defence.law_answers_are_finite: (Flattens,),
    defence.law_a_target_that_cannot_be_refitted_is_refused: (Nothing, Crashes),
}
