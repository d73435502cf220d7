"""Who was in the training data, by what the endpoint tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.technique._asking import sent
from temper.core.campaign import Aim, Field, Reply, Tactic
from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.seed import Draws

_END = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Ask about every suspect once, and call those members of which the model is surer than models of the attacker's
    own, fitted to the rows held: the upper `share` by the difference of log odds. Where no score is told, ask about
    changed copies as far as the quota goes: members are those whose decision holds.

    Misleads where the attacker's rows are few or of another kind: then the difference is one of models, not of
    membership; and about rare rows, which every model is sure of.
    Source: Zarifzadeh, Liu & Shokri, "Low-cost high-power membership inference attacks", 2024; Choquette-Choo et al.,
    "Label-only membership inference attacks", 2021.

    >>> Member(references=2).share
    0.5
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.LEARN,)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("members",)
    references_: ClassVar[str] = ""
    references: int = 4
    share: float = 0.5
    swapped: float = 0.15
    copies: int = 12

    def __post_init__(self) -> None:
        if self.references < 1 or self.copies < 1 or not 0 < self.share < 1 or not 0 < self.swapped < 1:
            raise TemperError(f"{self} cannot be meant", fix="references and copies from 1, shares between 0 and 1")


PLUGIN = Member
