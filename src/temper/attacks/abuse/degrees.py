"""A request by degrees, typed by the attackers themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.abuse._seeking import followed
from temper.core.abuse import USER, Exposed
from temper.core.campaign import Aim, Tactic
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrees:
    """Lead up to the order turn by turn in a conversation of one's own, milder where it is refused, other wrappers at
    the top.

    It serves where having it done is forbidden whoever asks: a secret, and a call where the objective says `own`. With
    `strategy: splitting` the order comes in harmless pieces instead. Misleads where the scripts' English is not the
    model's.
    Source: Russinovich et al., "Great, now write an article about that: the Crescendo multi-turn LLM jailbreak attack",
    2024.

    >>> Degrees(strategy="splitting").strategy
    'splitting'
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.CALL, Aim.LEAK)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0051.000", "atlas:AML.T0054")
    strategy: str = "crescendo"

    def play(self, field: Exposed, rng: Draws) -> None:
        """As many conversations as this turn pays for."""
        objective = field.objective
        if USER in field.attacker.channels and (objective.own or objective.aim is Aim.LEAK):
            followed(field, self.strategy, field.rehearse, typed=True, keeps=False)


PLUGIN = Degrees
