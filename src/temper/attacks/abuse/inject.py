"""Indirect injection, straight at strangers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.abuse._seeking import followed
from temper.core.abuse import Exposed
from temper.core.campaign import Aim, Tactic
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Inject:
    """Write orders in plain words into what strangers' assistants read, and learn from the effects alone which wording,
    place and channel bring any: whoever has no account sees nothing else.

    `strategy` is the search of `attacks/injection` that is followed. Misleads where effects are rare: blind, it learns
    from successes only, and a short campaign is a lottery.
    Source: Greshake et al., 2023; Debenedetti et al., "AgentDojo", 2024.

    >>> Inject(strategy="templates").strategy
    'templates'
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.CALL, Aim.LEAK)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("dresses",)
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0051.001", "atlas:AML.T0053")
    strategy: str = "bandit"

    def play(self, field: Exposed, rng: Draws) -> None:
        """As many as this turn pays for."""
        followed(field, self.strategy, field.strike)


PLUGIN = Inject
