"""Which sets of layers are worth having: what each lets through and costs, and the smallest that holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.depth import Chosen, Failing, Limits, Share, Standing
from temper.core.layers import Attempts
from temper.core.requirement import Verdict
from temper.engine.layers.games import Games, burden, share
from temper.kernels.coalitions import front, least
from temper.kernels.few_actors import over_actors

Rows = np.ndarray[Any, Any]
_HALVES = 8
"""Actors below which a set cannot be chosen on one half and judged on the other."""


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


def standings(
    games: Games,
    honest: Attempts,
    limits: Limits,
    seconds: Mapping[str, float],
    prices: Prices | None,
    rng: np.random.Generator,
) -> tuple[Standing, ...]:
    """Every set of layers by its number, the empty one first; those on the front are beaten by no other. Each interval
    is by itself; that of all layers is the exact one.
    """
    low, high = over_actors(games.stronger, (0.0, 1.0), rng, confidence=limits.confidence)
    means = games.stronger.mean(axis=0)
    through = [_share(one, len(games.stronger)) for one in zip(means, low, high, strict=True)]
    through[-1] = games.residual(limits.confidence)
    found = []
    for mask, residual in enumerate(through):
        names = games.names(mask)
        refused, asked = burden(honest, names, limits.confidence)
        price = None if prices is None else prices.thousand(residual.value, refused.value, asked.value)
        took = sum(seconds.get(name, 0.0) for name in names)
        told: dict[str, Any] = {"residual": residual, "refused": refused, "asked": asked}
        found.append(Standing(layers=names, seconds=took, price=price, **told))
    best = front(np.array([(one.residual.value, one.refused.value, one.asked.value, one.seconds) for one in found]))
    return tuple(replace(one, front=bool(kept)) for one, kept in zip(found, best, strict=True))


def _share(ends: tuple[float, float, float], n: int) -> Share:
    value, low, high = map(float, ends)
    return Share(value=value, low=low, high=high, n=n)


def failing(sets: tuple[Standing, ...], limits: Limits) -> tuple[Failing, ...]:
    """The smallest sets of layers whose failure at once lets more through than the limit: for certain (FAIL), or so
    that it cannot be excluded (INCONCLUSIVE). The empty set says that nothing has to fail for it.
    """
    whole = len(sets) - 1
    said = [one.residual.against(limits.residual) for one in sets]
    sure = least(np.array([whole - at for at, one in enumerate(said) if one is Verdict.FAIL], dtype=int))
    may = least(np.array([whole - at for at, one in enumerate(said) if one is not Verdict.PASS], dtype=int))
    told = [(mask, Verdict.INCONCLUSIVE) for mask in may if mask not in sure] + [(mask, Verdict.FAIL) for mask in sure]
    every = sets[whole].layers
    return tuple(
        Failing(
            layers=tuple(name for at, name in enumerate(every) if mask >> at & 1),
            residual=sets[whole - mask].residual,
            verdict=verdict,
        )
        for mask, verdict in sorted(told, key=lambda one: (one[0].bit_count(), one[0]))
    )


def chosen(games: Games, sets: tuple[Standing, ...], limits: Limits) -> Chosen | None:
    """The smallest set that keeps the limits. Layers are taken away one after another on one half of the actors, what
    is missed least first; the other half judges the sets in that order, down to the first that is not seen to hold, so
    that looking at many needs no correction. None where the actors are too few for two halves.
    """
    if len(games.stronger) < _HALVES:
        return None
    first, second = games.stronger[::2], games.stronger[1::2]
    best: tuple[int, Share, Verdict] | None = None
    for mask in _taken_away(first.mean(axis=0), sets, limits):
        residual = share(second[:, mask], limits.confidence)
        held = residual.against(limits.residual)
        verdict = together(held, sets[mask].refused.against(limits.refused))
        if best is None or verdict is Verdict.PASS or (best[2] is not Verdict.PASS and held is Verdict.PASS):
            best = (mask, residual, verdict)
        if held is not Verdict.PASS:
            break
    mask, residual, verdict = best or (games.whole, share(second[:, -1], limits.confidence), Verdict.INCONCLUSIVE)
    return Chosen(layers=games.names(mask), residual=residual, verdict=verdict, why=_why(verdict, mask, games))


def _why(verdict: Verdict, mask: int, games: Games) -> str:
    if verdict is Verdict.FAIL:
        return "all layers together break a limit" if mask == games.whole else "what it refuses breaks the limit"
    if verdict is Verdict.INCONCLUSIVE:
        return "too few actors to say whether it keeps the limits"
    n = len(games.stronger)
    return f"chosen on {n - n // 2} actors, judged on {n // 2} others"


def _taken_away(passed: Rows, sets: tuple[Standing, ...], limits: Limits) -> list[int]:
    """All layers, and fewer and fewer of them as long as what gets through keeps the limit on average: away goes what
    is missed least, and of those what costs most.
    """
    mask, order = len(sets) - 1, [len(sets) - 1]
    while mask:
        fewer = [mask & ~(1 << at) for at in range(mask.bit_length()) if mask >> at & 1]
        mask = min(fewer, key=lambda one: (passed[one], _cost(sets[one])))
        if passed[mask] > limits.residual:
            break
        order.append(mask)
    return order


def _cost(one: Standing) -> tuple[float, ...]:
    return (one.price or 0.0, one.refused.value + one.asked.value, one.seconds)


def together(*verdicts: Verdict) -> Verdict:
    """PASS where all are, FAIL where one is, else INCONCLUSIVE."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if all(one is Verdict.PASS for one in verdicts) else Verdict.INCONCLUSIVE
