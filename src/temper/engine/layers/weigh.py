"""Attempts and what every layer says of them, turned into what each layer and each set of layers is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.depth import Depth, Desk, Erring, Flow, Layer, Limits, Pair, Share, Worth
from temper.core.layers import MODEL, PEOPLE, Against, Attempts
from temper.core.requirement import Verdict
from temper.core.seed import Draws
from temper.engine.layers.choose import Costs, Prices, failing, standings
from temper.engine.layers.games import Asked, Games, Progress, burden, number, sampling, share, through
from temper.engine.layers.smallest import chosen, most_missed, together
from temper.kernels.coalitions import furthest
from temper.kernels.few_actors import over_actors
from temper.kernels.joint_misses import joint_misses

Rows = np.ndarray[Any, Any]
FIXED, KNOWN, HONEST = "attacks made without the layers in mind", "attacks by who knows the layers", "honest requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a defence is judged: limits, prices, what each layer takes of a request (seconds), the people among the
    layers (None: there are none), and the seed.
    """

    limits: Limits = field(default_factory=Limits)
    prices: Prices | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    desk: Desk | None = None
    seed: int = 0


def weighed(
    attempts: Attempts,
    against: Against | None = None,
    terms: Terms = Terms(),
    progress: Progress = lambda done, total: None,
) -> Depth:
    """The whole measurement, but for what it is of: who calls fills that in.

    `attempts` are attacks made once and honest requests, with what every layer says of each; `against` makes attacks
    anew for every set of layers that is looked at. Each actor counts once, by the share of the worth he tried that gets
    through.
    """
    attacks, honest, limits = attempts.of(~attempts.honest), attempts.of(attempts.honest), terms.limits
    rng = Draws(terms.seed, "layers")
    orders = sampling(len(attacks.layers), rng.child("orders").generator())
    asked = Asked(attacks=attacks, against=against, orders=orders, progress=progress)
    costs = Costs(honest=honest, limits=limits, seconds=terms.seconds, prices=terms.prices)
    smallest = chosen(asked, costs)
    left = most_missed(asked, limits)
    both = asked.games()
    sets = standings(both, costs, rng.child("sets").generator())
    layers, error = _layers(both, (attacks, honest), terms, rng)
    bare = both.mask([MODEL])
    stopped, tried = _stopped(both, bare) if bare and both.known is not None and not both.ways else (0, 0)
    erring = tuple(_erring(asked, honest, terms))
    traffic = ((FIXED, attacks), (KNOWN, asked.sent), (HONEST, honest))
    return Depth(
        system="",
        layers=layers,
        fixed=share(both.fixed[:, -1], limits.confidence),
        known=None if both.known is None else both.residual(limits.confidence),
        bare=sets[both.column(bare)].residual if bare else None,
        unattended=_unattended(asked, limits),
        refused=sets[-1].refused,
        asked=sets[-1].asked,
        limits=limits,
        verdict=_verdict(sets[-1].residual, sets[-1].refused, erring, limits),
        pairs=_pairs(attacks, rng),
        sets=sets,
        failing=failing(both, sets, left, limits),
        chosen=smallest,
        flows=tuple(_flow(name, one) for name, one in traffic if one is not None and len(one.worth)),
        stopped=stopped,
        tried=tried,
        attempts=len(attacks.worth),
        actors=len(both.fixed),
        honest=len(honest.worth),
        orders=0 if orders is None else len(orders),
        error=error,
        desk=terms.desk,
        erring=erring,
    )


def _verdict(residual: Share, refused: Share, erring: tuple[Erring, ...], limits: Limits) -> Verdict:
    """How the whole stands to its limits, whatever people's error is within its interval."""
    through = {one.through.against(limits.residual) for one in erring} or {residual.against(limits.residual)}
    refusals = {one.refused.against(limits.refused) for one in erring if one.refused is not None}
    both = (through, refusals or {refused.against(limits.refused)})
    return together(*(some.pop() if len(some) == 1 else Verdict.INCONCLUSIVE for some in both))


def _erring(asked: Asked, honest: Attempts, terms: Terms) -> Iterator[Erring]:
    """What all layers let through and refuse with people's errors at both ends of their intervals, where they have any:
    by whoever is stronger where they err so much.
    """
    desk, ways = terms.desk, [asked.attacks, *(() if asked.anew is None else (asked.anew,))]
    if desk is None or desk.sure:
        return
    told = zip((desk.misses.low, desk.misses.high), (desk.wrongs.low, desk.wrongs.high), strict=True)
    for (misses, wrongs), passing, refusing in zip(told, desk.passing, desk.refusing, strict=True):
        sent = [replace(one, looked=np.full(len(one.worth), 1.0 - passing)) for one in ways]
        passed = np.stack([through(one, one.layers, asked.actors) for one in sent], axis=1)
        many = replace(honest, looked=np.full(len(honest.worth), refusing))
        yield Erring(
            misses=misses,
            through=share(furthest(passed, together=asked.attacks.exclusive), terms.limits.confidence),
            wrongs=wrongs,
            refused=burden(many, many.layers, terms.limits.confidence)[0],
        )


def _layers(
    both: Games, attempts: tuple[Attempts, Attempts], terms: Terms, rng: Draws
) -> tuple[tuple[Layer, ...], float]:
    """Every layer, and the largest standard error that sampling leaves in one's part of what the stronger try."""
    attacks, honest = attempts
    fixed = _worths(both, both.fixed, _least(attacks, terms.desk), terms, rng)
    known = _worths(both, both.known, np.zeros(len(both.layers)), terms, rng)
    told = []
    for at, name in enumerate(both.layers):
        refused, asked = _minds(honest, name, terms.limits.confidence)
        layer = Layer(
            name=name,
            fixed=fixed[0][at],
            known=known[0][at] if both.known is not None else None,
            refused=refused,
            asked=asked,
            seconds=terms.seconds.get(name, 0.0),
        )
        told.append(layer)
    return tuple(told), (fixed if both.known is None else known)[1]


def _minds(honest: Attempts, name: str, confidence: float) -> tuple[Share, Share]:
    """What a layer does to honest requests: refuses, by itself or by people to whom it hands some, and hands on. Of
    people, what all layers hand to them, and what they refuse of it.
    """
    if honest.looked is None:
        return burden(honest, [name], confidence)
    if name != PEOPLE:
        return burden(honest, [name, PEOPLE], confidence)
    return burden(replace(honest, stops=np.zeros_like(honest.stops)), honest.layers, confidence)


def _least(attacks: Attempts, desk: Desk | None) -> Rows:
    """The least that each layer can be worth to attempts that are made once (layers,): where people miss some, a layer
    that hands them what the model would have stopped does harm.
    """
    if desk is None or attacks.asks is None:
        return np.zeros(len(attacks.layers))
    hands = attacks.asks.any(axis=0) | (np.array(attacks.layers) == PEOPLE)
    return np.where(hands, -desk.through(desk.misses.value), 0.0)


def _worths(both: Games, passed: Rows | None, least: Rows, terms: Terms, rng: Draws) -> tuple[list[Worth], float]:
    """The three figures of every layer, no less than `least`; the intervals of one figure hold for all layers together,
    and those of parts that were sampled are wider by two standard errors on both sides.
    """
    if passed is None:
        return [], 0.0
    figures, errors = both.figures(passed)
    told = []
    for step, kind in enumerate(np.split(figures, 3, axis=1)):
        values = kind.clip(least, 1.0)  # rounding goes below nothing
        drawn = rng.child("actors").generator(step)
        ends = over_actors(values, (least, 1.0), drawn, confidence=terms.limits.confidence, simultaneous=True)
        wide = 2.0 * errors * (step == 2)
        low, high = (ends[0] - wide).clip(least, 1.0), (ends[1] + wide).clip(least, 1.0)
        parts = zip(values.mean(axis=0), low, high, strict=True)
        told.append([Share(value=float(v), low=float(a), high=float(b), n=len(values)) for v, a, b in parts])
    worths = [Worth(alone=alone, margin=margin, part=part) for alone, margin, part in zip(*told, strict=True)]
    return worths, float(errors.max())


def _stopped(both: Games, bare: int) -> tuple[int, int]:
    """Of the actors who get through the bare model, how many the guard stops: shares of them, rounded down."""
    through, model = both.stronger[:, -1], both.stronger[:, both.column(bare)]
    some = model > 0
    return int(np.floor((1.0 - through[some] / model[some]).sum() + 1e-9)), int(some.sum())


def _unattended(asked: Asked, limits: Limits) -> Share:
    """What gets through where nobody looks at what is handed on."""
    layers = _unasking(asked.attacks)
    return share(asked.through(number(asked.attacks.layers, layers)), limits.confidence)


def _unasking(attacks: Attempts) -> tuple[str, ...]:
    """The layers that stop something without a person."""
    if PEOPLE in attacks.layers:
        return tuple(name for name in attacks.layers if name != PEOPLE)
    asks = np.zeros_like(attacks.stops) if attacks.asks is None else attacks.asks
    own: Rows = np.asarray((attacks.stops & ~asks).any(axis=0))
    return tuple(name for at, name in enumerate(attacks.layers) if own[at] or not asks[:, at].any())


def _pairs(attacks: Attempts, rng: Draws) -> tuple[Pair, ...]:
    """Layers that miss the same attempts; of one that misses all or nothing, nothing can be told."""
    worthy = attacks.of(attacks.worth > 0)
    objects = worthy.objects
    some = np.flatnonzero(objects.any(axis=0) & ~objects.all(axis=0))
    names = [attacks.layers[at] for at in some]
    found = joint_misses(~objects[:, some], worthy.actor, rng.child("pairs").generator())
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
    places, honest = range(len(attempts.layers)), bool(attempts.honest.all())
    held = weight if attempts.looked is None or honest else weight * attempts.looked
    return Flow(
        name=name,
        stopped=tuple(float(weight[(first == at) & ~asked].sum()) for at in places),
        asked=tuple(float(held[(first == at) & asked].sum()) for at in places),
        through=float(weight[first < 0].sum() + (weight - held)[asked].sum()),
        n=len(attempts.worth),
        worth=float(attempts.worth.sum()),
    )
