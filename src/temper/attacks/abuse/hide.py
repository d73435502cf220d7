"""Orders in codes that a guard does not read and a model does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.attacks.abuse._seeking import followed
from temper.core.abuse import Exposed
from temper.core.campaign import Aim, Tactic
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Hide:
    """Write orders in codes (base64, homoglyphs, invisible characters, ...) into what strangers' assistants read, and
    learn from the effects which of them the assistant reads and the guard does not. The plain order is one of the arms.

    Misleads as a bound where the model reads none of these codes: then it is safe from them, and from nothing else.
    Source: Wei et al., "Jailbroken: how does LLM safety training fail?", 2023; MITRE ATLAS, AML.T0068.

    >>> Hide().strategy
    'bandit'
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.CALL, Aim.LEAK)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("dresses",)
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0068", "atlas:AML.T0051.001", "atlas:AML.T0053")
    strategy: str = "bandit"

    def play(self, field: Exposed, rng: Draws) -> None:
        """As many as this turn pays for."""
        followed(field, self.strategy, field.strike, coded=True)


PLUGIN = Hide
