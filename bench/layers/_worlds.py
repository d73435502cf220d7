"""SIMULATED campaigns whose truth is known in closed form: what gets through every set of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.layers import Attempts

Array = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Each actor has a rate of his own at which each layer stops him: Beta(`stops` * `sharp`, (1 - `stops`) * `sharp`),
    so a small `sharp` makes actors who always or never get through. A share of them (`trick`) knows how to blind the
    layers in `blind` at once. Attempts of one actor are as many as Poisson says, at least one, of lognormal worth.
    """

    name: str
    stops: tuple[float, ...]
    sharp: float = 2.0
    trick: float = 0.0
    blind: tuple[int, ...] = ()
    attempts: float = 4.0

    @property
    def truth(self) -> Array:
        """What gets through every set of layers (sets,), in the mean over all actors there might be."""
        plain, tricked = np.ones(2 ** len(self.stops)), np.ones(2 ** len(self.stops))
        for at, rate in enumerate(self.stops):
            there = (np.arange(len(plain)) >> at) & 1 == 1
            plain[there] *= 1.0 - rate
            tricked[there] *= 1.0 if at in self.blind else 1.0 - rate
        return (1.0 - self.trick) * plain + self.trick * tricked

    def campaign(self, actors: int, rng: np.random.Generator) -> Attempts:
        """One campaign of so many actors."""
        means = np.clip(np.array(self.stops), 1e-6, 1.0 - 1e-6)
        rates = rng.beta(means * self.sharp, (1.0 - means) * self.sharp, (actors, len(means)))
        tricked = rng.random(actors) < self.trick
        rates[np.ix_(tricked, list(self.blind))] = 0.0
        many = 1 + rng.poisson(self.attempts - 1.0, actors)
        actor = np.repeat(np.arange(actors), many)
        return Attempts(
            layers=tuple(f"layer {at + 1}" for at in range(len(means))),
            stops=rng.random((len(actor), len(means))) < rates[actor],
            worth=rng.lognormal(0.0, 1.0, len(actor)),
            actor=actor,
            honest=np.zeros(len(actor), dtype=bool),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Attackers who know the layers: each has a skill, even from 0 to 1, and gets through a set of layers where it is
    above what the layers there ask for together, 1 - product of (1 - stops).
    """

    stops: tuple[float, ...]

    @property
    def truth(self) -> Array:
        """What gets through every set of layers (sets,)."""
        return World(name="", stops=self.stops).truth

    def against(self, actors: int, rng: np.random.Generator) -> tuple[Attempts, Any]:
        """Attempts made once, which all layers stop, and who makes them anew against a set of layers."""
        skill, truth = rng.random(actors), self.truth
        names = tuple(f"layer {at + 1}" for at in range(len(self.stops)))
        parts = {"layers": names, "worth": np.ones(actors), "actor": np.arange(actors)}
        parts["honest"] = np.zeros(actors, dtype=bool)
        once = Attempts(stops=np.ones((actors, len(names)), dtype=bool), **parts)

        def anew(standing: frozenset[str]) -> Attempts:
            mask = sum(1 << at for at, name in enumerate(names) if name in standing)
            stopped = skill > truth[mask]
            there = np.array([name in standing for name in names])
            return Attempts(stops=stopped[:, None] & there, adaptive=True, **parts)

        return once, anew


WORLDS: Sequence[World] = (
    World(name="actors much alike", stops=(0.6, 0.4, 0.3), sharp=20.0),
    World(name="actors who always or never get through", stops=(0.6, 0.4, 0.3), sharp=0.4),
    World(name="hardly anything gets through", stops=(0.9, 0.8, 0.7), sharp=2.0),
    World(name="one actor in twenty blinds two layers at once", stops=(0.95, 0.9, 0.5), trick=0.05, blind=(0, 1)),
    World(name="five layers, many attempts of each actor", stops=(0.5, 0.4, 0.3, 0.2, 0.1), sharp=1.0, attempts=12.0),
)
