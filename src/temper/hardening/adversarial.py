"""Training on rows that an attack has found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from temper.core.data import Data
from temper.core.errors import ContractError, TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.hardening._refit import joined, trainable


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversarial:
    """Attack the model on its training rows, add what was found with its true label, fit again; `rounds` times.

    Misleads on trees, which it can make worse: each fit moves the holes instead of closing them. Believe only a fresh
    attack on the result.
    `inner(target, data)` gives the adversarial rows with their true labels; the engine hands it in.
    Source: Kantchelian, Tygar & Joseph, "Evasion and hardening of tree ensemble classifiers", 2016.

    >>> Adversarial(rounds=2).rounds
    2
    """

    needs: ClassVar[Access] = Access.RETRAIN
    rounds: int = 3
    inner: Callable[[Target, Data], Data] | None = None

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise TemperError(
                f"adversarial training with {self.rounds} rounds does nothing", fix="set rounds to 1 or more"
            )

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same family fitted on the rows and on everything the inner attack found on the way."""
        trainable(target, "adversarial")
        if self.inner is None:
            raise Unsupported(
                "adversarial training needs an inner attack, and none was handed in",
                fix="use temper.harden, or give `inner`",
            )
        parts, hardened = [data], target
        for step in range(self.rounds):
            found = self.inner(hardened, data)
            if found.x.shape[1:] != data.x.shape[1:]:
                raise ContractError(
                    f"the inner attack gave rows of shape {found.x.shape[1:]}, the data has {data.x.shape[1:]}"
                )
            if not len(found):
                break
            parts.append(found)
            hardened = target.refit(joined(parts), Recipe(seed=rng.integer(step)))
        if hardened is target:
            raise Unsupported(
                "the inner attack found no adversarial row to train on", fix="give the attacker a larger budget"
            )
        return hardened


PLUGIN = Adversarial
