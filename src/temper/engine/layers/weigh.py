"""Attempts and what every layer says of them, turned into what each layer and each set of layers is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.depth import Depth, Flow, Layer, Limits, Pair, Share, Worth
from temper.core.layers import Against, Attempts
from temper.core.seed import Draws
from temper.engine.layers.choose import Prices, chosen, failing, standings, together
from temper.engine.layers.games import Games, Progress, burden, games, share
from temper.kernels.coalitions import figures_of
from temper.kernels.few_actors import over_actors
from temper.kernels.joint_misses import joint_misses

Rows = np.ndarray[Any, Any]
FIXED, KNOWN, HONEST = "attacks made without the layers in mind", "attacks by who knows the layers", "honest requests"
MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a defence is judged: limits, prices, what each layer takes of a request (seconds), and the seed."""

    limits: Limits = field(default_factory=Limits)
    prices: Prices | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0


def weighed(
    attempts: Attempts,
    against: Against | None = None,
    terms: Terms = Terms(),
    progress: Progress = lambda done, total: None,
) -> Depth:
    """The whole measurement, but for what it is of: who calls fills that in.

    `attempts` are attacks made once and honest requests, with what every layer says of each; `against` makes attacks
    anew for every set of layers. Each actor counts once, by the share of the worth he tried that gets through.
    """
    attacks, honest, limits = attempts.of(~attempts.honest), attempts.of(attempts.honest), terms.limits
    both, anew = games(attacks, against, progress)
    rng = Draws(terms.seed, "layers")
    sets = standings(both, honest, limits, terms.seconds, terms.prices, rng.child("sets").generator())
    last = sets[-1]
    bare = both.mask([MODEL])
    stopped, tried = _stopped(both, bare) if bare and both.known is not None and not both.ways else (0, 0)
    traffic = ((FIXED, attacks), (KNOWN, anew), (HONEST, honest))
    return Depth(
        system="",
        layers=tuple(_layers(both, honest, terms, rng)),
        fixed=share(both.fixed[:, -1], limits.confidence),
        known=None if both.known is None else both.residual(limits.confidence),
        bare=sets[bare].residual if bare else None,
        unattended=sets[both.mask(_unasking(attacks))].residual,
        refused=last.refused,
        asked=last.asked,
        limits=limits,
        verdict=together(last.residual.against(limits.residual), last.refused.against(limits.refused)),
        pairs=_pairs(attacks, rng),
        sets=sets,
        failing=failing(sets, limits),
        chosen=chosen(both, sets, limits),
        flows=tuple(_flow(name, one) for name, one in traffic if one is not None and len(one.worth)),
        stopped=stopped,
        tried=tried,
        attempts=len(attacks.worth),
        actors=len(both.fixed),
        honest=len(honest.worth),
    )


def _layers(both: Games, honest: Attempts, terms: Terms, rng: Draws) -> Iterator[Layer]:
    fixed, known = (_worths(one, terms.limits, rng) for one in (both.fixed, both.known))
    for at, name in enumerate(both.layers):
        refused, asked = burden(honest, [name], terms.limits.confidence)
        yield Layer(
            name=name,
            fixed=fixed[at],
            known=known[at] if known else None,
            refused=refused,
            asked=asked,
            seconds=terms.seconds.get(name, 0.0),
        )


def _worths(passed: Rows | None, limits: Limits, rng: Draws) -> list[Worth]:
    """The three figures of every layer; the intervals of one figure hold for all layers together."""
    if passed is None:
        return []
    many = passed.shape[1].bit_length() - 1
    kinds = np.split(((1.0 - passed) @ figures_of(many)).clip(0.0, 1.0), 3, axis=1)  # rounding goes below nothing
    told = []
    for step, values in enumerate(kinds):
        drawn = rng.child("actors").generator(step)
        ends = over_actors(values, (0.0, 1.0), drawn, confidence=limits.confidence, simultaneous=True)
        parts = zip(values.mean(axis=0), *ends, strict=True)
        told.append([Share(value=float(v), low=float(a), high=float(b), n=len(values)) for v, a, b in parts])
    return [Worth(alone=alone, margin=margin, part=part) for alone, margin, part in zip(*told, strict=True)]


def _stopped(both: Games, bare: int) -> tuple[int, int]:
    """Of the actors who get through the bare model, how many the guard stops: shares of them, rounded down."""
    through, model = both.stronger[:, -1], both.stronger[:, bare]
    some = model > 0
    return int(np.floor((1.0 - through[some] / model[some]).sum() + 1e-9)), int(some.sum())


def _unasking(attacks: Attempts) -> tuple[str, ...]:
    """The layers that stop something without a person."""
    asks = np.zeros_like(attacks.stops) if attacks.asks is None else attacks.asks
    own: Rows = np.asarray((attacks.stops & ~asks).any(axis=0))
    return tuple(name for at, name in enumerate(attacks.layers) if own[at] or not asks[:, at].any())


def _pairs(attacks: Attempts, rng: Draws) -> tuple[Pair, ...]:
    """Layers that miss the same attempts; of one that misses all or nothing, nothing can be told."""
    worthy = attacks.of(attacks.worth > 0)
    some = np.flatnonzero(worthy.stops.any(axis=0) & ~worthy.stops.all(axis=0))
    names = [attacks.layers[at] for at in some]
    found = joint_misses(~worthy.stops[:, some], worthy.actor, rng.child("pairs").generator())
    return tuple(
        Pair(
            first=names[one.first],
            second=names[one.second],
            seen=one.seen,
            by_chance=one.by_chance,
            p=one.p,
            found=one.found,
        )
        for one in found
    )


def _flow(name: str, attempts: Attempts) -> Flow:
    """Where this traffic ends, by worth; each actor counts once, an honest request like any other."""
    first, asked = attempts.met(attempts.layers)
    place = np.unique(attempts.actor, return_inverse=True)[1]
    tried = np.bincount(place, weights=attempts.worth)
    mine = 1.0 if attempts.honest.all() else np.divide(1.0, tried, out=np.zeros(len(tried)), where=tried > 0)[place]
    weight = attempts.worth * mine
    weight = weight / max(float(weight.sum()), 1e-300)
    places = range(len(attempts.layers))
    return Flow(
        name=name,
        stopped=tuple(float(weight[(first == at) & ~asked].sum()) for at in places),
        asked=tuple(float(weight[(first == at) & asked].sum()) for at in places),
        through=float(weight[first < 0].sum()),
        n=len(attempts.worth),
        worth=float(attempts.worth.sum()),
    )
