"""Which sets of layers are worth having: what each lets through and costs, and what must not fail at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.depth import Failing, Limits, Share, Standing
from temper.core.layers import Attempts
from temper.core.requirement import Verdict
from temper.engine.layers.games import Games, burden
from temper.kernels.coalitions import front, least
from temper.kernels.few_actors import over_actors

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What things cost: an honest request refused, one that a person looks at, and an attack of worth one that gets
    through. `attacks` is the share of requests that are attacks.
    """

    refused: float = 0.0
    asked: float = 0.0
    loss: float = 1.0
    attacks: float = 0.01

    def thousand(self, residual: float, refused: float, asked: float) -> float:
        """What a thousand requests cost."""
        honest = refused * self.refused + asked * self.asked
        return 1_000.0 * (self.attacks * residual * self.loss + (1.0 - self.attacks) * honest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a set of layers costs those who mean no harm: their requests, what each layer takes of one (seconds), and
    prices (None: nobody has said any).
    """

    honest: Attempts
    limits: Limits
    seconds: Mapping[str, float]
    prices: Prices | None

    def of(self, names: Collection[str], residual: Share) -> Standing:
        """This set of layers, where so much gets through it."""
        refused, asked = burden(self.honest, names, self.limits.confidence)
        price = None if self.prices is None else self.prices.thousand(residual.value, refused.value, asked.value)
        took = sum(self.seconds.get(name, 0.0) for name in names)
        told: dict[str, Any] = {"residual": residual, "refused": refused, "asked": asked}
        return Standing(layers=tuple(names), seconds=took, price=price, **told)

    def rank(self, names: Collection[str], residual: float) -> tuple[float, ...]:
        """Of two sets that let as much through the dearer one has the higher rank."""
        one = self.of(names, Share(value=residual, low=0.0, high=1.0, n=0))
        return (one.price or 0.0, one.refused.value + one.asked.value, one.seconds)


def standings(games: Games, costs: Costs, rng: np.random.Generator) -> tuple[Standing, ...]:
    """Every set of layers that was looked at, the empty one first; those on the front are beaten by no other. Each
    interval is by itself; that of all layers is the exact one.
    """
    confidence = costs.limits.confidence
    low, high = over_actors(games.stronger, (0.0, 1.0), rng, confidence=confidence)
    means = games.stronger.mean(axis=0)
    through = [_share(one, len(games.stronger)) for one in zip(means, low, high, strict=True)]
    through[-1] = games.residual(confidence)
    found = [costs.of(games.names(int(mask)), one) for mask, one in zip(games.sets, through, strict=True)]
    best = front(np.array([(one.residual.value, one.refused.value, one.asked.value, one.seconds) for one in found]))
    return tuple(replace(one, front=bool(kept)) for one, kept in zip(found, best, strict=True))


def _share(ends: tuple[float, float, float], n: int) -> Share:
    value, low, high = map(float, ends)
    return Share(value=value, low=low, high=high, n=n)


def failing(games: Games, sets: tuple[Standing, ...], left: int, limits: Limits) -> tuple[Failing, ...]:
    """The smallest sets of layers whose failure at once lets more through than the limit: for certain (FAIL), or so
    that it cannot be excluded (INCONCLUSIVE). The empty set says that nothing has to fail for it. Where not every set
    was looked at, all that lack one or two layers were, and what is `left` where more have to fail.
    """
    whole = games.whole
    said = {
        whole - int(mask): one.residual.against(limits.residual)
        for mask, one in zip(games.sets, sets, strict=True)
        if games.orders is None or mask == left or (whole - int(mask)).bit_count() <= 2
    }
    sure = least(np.array([gone for gone, one in said.items() if one is Verdict.FAIL], dtype=int))
    may = least(np.array([gone for gone, one in said.items() if one is not Verdict.PASS], dtype=int))
    told = [(gone, Verdict.INCONCLUSIVE) for gone in may if gone not in sure] + [(gone, Verdict.FAIL) for gone in sure]
    return tuple(
        Failing(layers=games.names(gone), residual=sets[games.column(whole - gone)].residual, verdict=verdict)
        for gone, verdict in sorted(told, key=lambda one: (one[0].bit_count(), one[0]))
    )
