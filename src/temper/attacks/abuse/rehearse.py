"""Staging: find a wording that works at home."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.abuse._seeking import followed
from temper.core.abuse import USER, Exposed
from temper.core.campaign import Aim, Tactic
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearse:
    """Try wordings and places on an account of one's own, where refusals and the guard's answers can be seen, and keep
    those that made the assistant do it.

    `strategy` is the search of `attacks/injection` that is followed. Misleads where strangers' assistants have other
    instructions, tools or guards than that of the attackers.
    Source: MITRE ATLAS, AML.T0065 (LLM prompt crafting); Greshake et al., "Not what you've signed up for: compromising
    real-world LLM-integrated applications with indirect prompt injection", 2023.

    >>> Rehearse().strategy
    'bandit'
    """

    tactic: ClassVar[Tactic] = Tactic.STAGING
    aims: ClassVar[tuple[Aim, ...]] = (Aim.CALL, Aim.LEAK)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("dresses",)
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0065", "atlas:AML.T0051.001")
    strategy: str = "bandit"

    def play(self, field: Exposed, rng: Draws) -> None:
        """As many wordings as this turn pays for."""
        if USER not in field.attacker.channels:
            return
        if worked := followed(field, self.strategy, field.rehearse):
            field.say(f"{worked} wordings worked at home")


PLUGIN = Rehearse
