"""What gets through every set of layers, and what every set does to honest requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.depth import Share
from temper.core.errors import TemperError
from temper.core.layers import Against, Attempts
from temper.kernels.best_way import best_way
from temper.kernels.clustered import bounded_mean
from temper.kernels.coalitions import MOST, covered, upward
from temper.kernels.rate import clopper_pearson

Rows = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Games:
    """Shares of what each actor tried that get through every set of layers (actors, sets), by the number of the set:
    `fixed` of attempts that were made once, `known` by who may do both, None where nobody makes any anew. `ways` are
    the shares (actors,) through all layers of either, where whoever does one cannot do the other; () where he can.
    """

    layers: tuple[str, ...]
    fixed: Rows
    known: Rows | None
    ways: tuple[Rows, ...] = ()

    @property
    def stronger(self) -> Rows:
        """By whoever is stronger."""
        return self.fixed if self.known is None else self.known

    @property
    def whole(self) -> int:
        """The set of all layers."""
        return int(2 ** len(self.layers) - 1)

    def residual(self, confidence: float) -> Share:
        """What gets through all layers by whoever is stronger."""
        return largest(self.ways, confidence) if self.ways else share(self.stronger[:, -1], confidence)

    def mask(self, layers: Collection[str]) -> int:
        """The number of a set of layers."""
        return sum(1 << at for at, name in enumerate(self.layers) if name in layers)

    def names(self, mask: int) -> tuple[str, ...]:
        """The layers of a set by its number."""
        return tuple(name for at, name in enumerate(self.layers) if mask >> at & 1)


def games(
    attacks: Attempts, against: Against | None, progress: Progress = lambda done, total: None
) -> tuple[Games, Attempts | None]:
    """Both games, and what whoever knows all layers sends them: of each actor what gets further.

    Whoever knows the layers may also send what others found, and whoever gets through more layers gets through fewer:
    so an adaptive figure is never below the other one, and no set lets less through than one around it. Each actor does
    both and has the better of it; of `exclusive` attempts all of them go the way that gets further on average, since
    nobody knows which one will be lucky for him.
    """
    if len(attacks.layers) > MOST:
        raise TemperError(f"{len(attacks.layers)} layers have too many sets", fix=f"put some together: {MOST} at most")
    if not len(attacks.worth) or not attacks.worth.sum() > 0:
        raise TemperError("no attempt would have harmed anybody, so no layer can be weighed", fix="try more rows")
    worthy = attacks.of(attacks.worth > 0)
    actors = np.unique(worthy.actor)
    fixed = 1.0 - covered(worthy.stops, worthy.worth, worthy.actor, actors)
    empty = Games(layers=attacks.layers, fixed=fixed, known=None)
    if against is None:
        return empty, None
    passed, whole, ways = np.array(fixed), attacks, ()
    for done, mask in enumerate(range(empty.whole, 0, -1)):
        anew = against(frozenset(empty.names(mask)))
        through, once = _through(anew, empty.names(mask), actors), passed[:, mask]
        better = np.full(len(actors), through.mean() >= once.mean()) if attacks.exclusive else through >= once
        if mask == empty.whole:
            mine, theirs = (np.isin(one.actor, actors[better]) for one in (anew, attacks))
            whole = anew.of(mine).beside(attacks.of(~theirs))
            ways = (fixed[:, mask], through) if attacks.exclusive else ()
        passed[:, mask] = np.where(better, through, once)
        progress(done + 1, empty.whole)
    known = upward(passed, together=attacks.exclusive)
    return Games(layers=attacks.layers, fixed=fixed, known=known, ways=ways), whole


def _through(anew: Attempts, standing: tuple[str, ...], actors: Rows) -> Rows:
    """The share of what each of these actors tried that gets through; nothing where one tried nothing of worth."""
    place = np.searchsorted(actors, anew.actor)
    mine = (place < len(actors)) & (actors[np.minimum(place, len(actors) - 1)] == anew.actor)
    weights = [anew.worth * mine * kept for kept in (anew.passed(standing), 1.0)]
    got, tried = (np.bincount(np.where(mine, place, 0), weights=one, minlength=len(actors)) for one in weights)
    return np.divide(got, tried, out=np.zeros(len(actors)), where=tried > 0)


def share(values: Rows, confidence: float) -> Share:
    """The mean over actors with an interval that holds for as few as there are, and is never a point."""
    value, low, high = bounded_mean(values.clip(0.0, 1.0), confidence, "gate")
    return Share(value=value, low=low, high=high, n=len(values))


def largest(ways: Sequence[Rows], confidence: float) -> Share:
    """The mean over actors of the way that gets furthest, with an interval that holds although it was chosen."""
    best, value, low, high = best_way([way.clip(0.0, 1.0) for way in ways], confidence)
    return Share(value=value, low=low, high=high, n=len(ways[best]))


def burden(honest: Attempts, standing: Collection[str], confidence: float) -> tuple[Share, Share]:
    """The shares of honest requests that these layers refuse, and hand to a person."""
    first, asked = honest.met(standing)
    return tuple(rate(mask, confidence) for mask in ((first >= 0) & ~asked, asked))  # type: ignore[return-value]


def rate(mask: Rows, confidence: float) -> Share:
    """How many of these, by an exact interval; anything at all where there is none."""
    count, n = int(mask.sum()), len(mask)
    if not n:
        return Share(value=0.0, low=0.0, high=1.0, n=0)
    low, high = clopper_pearson(count, n, confidence)
    return Share(value=count / n, low=low, high=high, n=n)
