"""Threats from the catalogue, actors, and scenarios: a threat on an asset of this system by an actor."""

from __future__ import annotations

from dataclasses import dataclass, field

from temper.core.budget import Budget
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who may attack: knowledge "black-box" | "grey-box" | "white-box", budgets per row, reach to assets.

    `cost` is in the schema's units; `norm` and `radius` bound inputs without columns (images).
    """

    name: str
    knowledge: str = "black-box"
    queries: int = 200
    cost: float | None = None
    norm: str = "linf"
    radius: float | None = None
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """A catalogue entry: what is sought, what access it takes, which plugins try it, which answers it requires.

    `requires` holds (answer, wanted) pairs over the system description and the actor ("actor.knowledge"); several
    wanted values are separated by "|". `references` are ids of taxonomies, as "atlas:AML.T0015". `bounded` says that
    the actor's radius limits it; a sticker or a rotation has limits of its own.
    """

    id: str
    title: str
    goal: str
    asset: str
    access: Access
    plugins: tuple[str, ...]
    requires: tuple[tuple[str, str], ...] = ()
    harm: str = ""
    references: tuple[str, ...] = ()
    defences: tuple[str, ...] = ()
    bounded: bool = True
    maturity: str = "demonstrated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One line of the threat model. `because` says which answers raised it; `rating` is low to critical."""

    threat: Threat
    actor: Actor
    budget: Budget = field(default_factory=Budget)
    rating: str = "medium"
    because: str = ""

    @property
    def id(self) -> str:
        """Threat and actor."""
        return f"{self.threat.id}@{self.actor.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A threat that was left out, and the answer that excluded it."""

    threat: Threat
    why: str
