"""What gets through sets of layers, and what they do to honest requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import combinations
from typing import Any

import numpy as np

from temper.core.depth import Share
from temper.core.errors import TemperError
from temper.core.layers import MODEL, PEOPLE, Against, Attempts
from temper.kernels.best_way import best_way
from temper.kernels.clustered import bounded_mean
from temper.kernels.coalitions import LARGEST, MOST, along, figures_of, furthest, sampled, upward
from temper.kernels.rate import clopper_pearson

Rows = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]
SETS = 2_000
"""How many sets along orders are looked at, about, where layers are too many for every one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Games:
    """Shares of what each actor tried that get through sets of layers (actors, sets): `fixed` of attempts that were
    made once, `known` by who may do both, None where nobody makes any anew. `sets` are the numbers of the sets, rising
    from none to all layers: every one, or some of them with what grows in these `orders` among them. `ways` are the
    shares (actors,) through all layers of either, where whoever does one cannot do the other; () where he can.
    """

    layers: tuple[str, ...]
    sets: Rows
    fixed: Rows
    known: Rows | None
    orders: Rows | None = None
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

    def column(self, mask: int) -> int:
        """Where this set stands."""
        return int(np.searchsorted(self.sets, mask))

    def mask(self, layers: Collection[str]) -> int:
        """The number of a set of layers."""
        return number(self.layers, layers)

    def names(self, mask: int) -> tuple[str, ...]:
        """The layers of a set by its number."""
        return tuple(name for at, name in enumerate(self.layers) if mask >> at & 1)

    def figures(self, passed: Rows) -> tuple[Rows, Rows]:
        """What each layer stops alone, at the margin and as its part (actors, 3 * layers), and the standard errors of
        the parts (layers,), 0 where every set is there.
        """
        many = len(self.layers)
        if self.orders is None:
            return (1.0 - passed) @ figures_of(many), np.zeros(many)
        bits = [1 << at for at in range(many)]
        alone = 1.0 - passed[:, [self.column(bit) for bit in bits]]
        margin = passed[:, [self.column(self.whole - bit) for bit in bits]] - passed[:, -1:]
        parts, errors = sampled(1.0 - passed, self.sets, self.orders)
        return np.concatenate([alone, margin, parts], axis=1), errors


@dataclass(kw_only=True, eq=False)
class Asked:
    """What gets through sets of layers, each asked about once. Every set of up to ten layers; of more those of one
    layer, those that lack one or two, and those that grow in these `orders`; and whatever else somebody looks for.

    Whoever knows the layers may also send what others found, and whoever gets through more layers gets through fewer:
    so an adaptive figure is never below the other one, and no set lets less through than one around it. Each actor does
    both and has the better of it; of `exclusive` attempts all of them go the way that gets further on average, since
    nobody knows which one will be lucky for him.
    """

    attacks: Attempts
    against: Against | None
    orders: Rows | None = None
    progress: Progress = lambda done, total: None
    sent: Attempts | None = None
    """What whoever knows all layers sends them: of each actor what gets further."""
    anew: Attempts | None = None
    """What was made anew against all layers, by whomever."""
    ways: tuple[Rows, ...] = ()
    _fixed: dict[int, Rows] = field(default_factory=dict, init=False, repr=False)
    _known: dict[int, Rows] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        many = len(self.attacks.layers)
        if many > LARGEST:
            raise TemperError(f"{many} layers are too many to name a set of them", fix=f"give {LARGEST} at most")
        if not len(self.attacks.worth) or not self.attacks.worth.sum() > 0:
            raise TemperError("no attempt would have harmed anybody, so no layer can be weighed", fix="try more rows")
        for done, mask in enumerate(usual := sorted(self._usual, reverse=True)):
            self._ask(mask)
            self.progress(done + 1, len(usual))

    @cached_property
    def actors(self) -> Rows:
        """Who tried anything of worth, rising."""
        return np.unique(self.attacks.actor[self.attacks.worth > 0])

    @property
    def whole(self) -> int:
        """The set of all layers."""
        return int(2 ** len(self.attacks.layers) - 1)

    def through(self, mask: int) -> Rows:
        """The share (actors,) of what each tried that gets through these layers, by whoever is stronger."""
        if mask not in self._fixed:
            self._ask(mask)
        if self.against is None:
            return self._fixed[mask]
        around = [one for other, one in self._known.items() if other & mask == mask and other != mask]
        return furthest(np.stack([self._known[mask], *around], axis=1), together=self.attacks.exclusive)

    def games(self) -> Games:
        """All that was asked."""
        sets = np.array(sorted(self._fixed), dtype=np.int64)
        fixed, known = (np.stack([one[int(at)] for at in sets], axis=1) for one in (self._fixed, self._known))
        anew = None if self.against is None else upward(known, sets, together=self.attacks.exclusive)
        return Games(layers=self.attacks.layers, sets=sets, fixed=fixed, known=anew, orders=self.orders, ways=self.ways)

    @property
    def _usual(self) -> set[int]:
        whole, bits = self.whole, [1 << at for at in range(len(self.attacks.layers))]
        if self.orders is None:
            return set(range(whole + 1))
        named = {number(self.attacks.layers, one) for one in ([MODEL], set(self.attacks.layers) - {PEOPLE})}
        two = {whole - one - other for one, other in combinations(bits, 2)}
        return {0, whole, *bits, *(whole - bit for bit in bits), *two, *named, *along(self.orders).ravel().tolist()}

    def _ask(self, mask: int) -> None:
        names = tuple(name for at, name in enumerate(self.attacks.layers) if mask >> at & 1)
        self._fixed[mask] = through(self.attacks, names, self.actors)
        self._known[mask] = self._anew(mask, names)

    def _anew(self, mask: int, names: tuple[str, ...]) -> Rows:
        fixed = self._fixed[mask]
        if self.against is None or not mask:
            return fixed
        anew = self.against(frozenset(names))
        found = through(anew, names, self.actors)
        alike = self.attacks.exclusive
        better = np.full(len(found), found.mean() >= fixed.mean()) if alike else found >= fixed
        if mask == self.whole:
            mine, theirs = (np.isin(one.actor, self.actors[better]) for one in (anew, self.attacks))
            self.sent = anew.of(mine).beside(self.attacks.of(~theirs))
            self.anew, self.ways = anew, (fixed, found) if alike else ()
        return np.where(better, found, fixed)


def games(attacks: Attempts, against: Against | None, orders: Rows | None = None) -> tuple[Games, Attempts | None]:
    """What gets through every set of layers, or those that grow in these orders; and what whoever knows them sends."""
    asked = Asked(attacks=attacks, against=against, orders=orders)
    return asked.games(), asked.sent


def sampling(layers: int, rng: np.random.Generator) -> Rows | None:
    """Orders for so many layers, some thousand sets in all; None where every set can be looked at."""
    from temper.kernels.coalitions import orders

    return None if layers <= MOST else orders(layers, rng, max(10, SETS // (2 * layers - 2)))


def number(layers: tuple[str, ...], some: Iterable[str]) -> int:
    """The number of a set of these layers."""
    chosen = set(some)
    return sum(1 << at for at, name in enumerate(layers) if name in chosen)


def through(attempts: Attempts, standing: Collection[str], actors: Rows) -> Rows:
    """The share of what each of these actors tried that gets through; nothing where one tried nothing of worth."""
    place = np.searchsorted(actors, attempts.actor)
    mine = (place < len(actors)) & (actors[np.minimum(place, len(actors) - 1)] == attempts.actor)
    weights = [attempts.worth * mine * kept for kept in (attempts.passed(standing), 1.0)]
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
    """The shares of honest requests that these layers refuse, and hand to a person. Where people err or come too late,
    some of those that are handed to them are refused; then the interval is that of both counts together.
    """
    first, asks = honest.met(standing)
    blocked, asked = (first >= 0) & ~asks, rate(asks, confidence)
    refused = 0.0 if honest.looked is None or not len(honest.looked) else float(honest.looked[0])
    if not refused:
        return rate(blocked, confidence), asked
    own, handed = (rate(mask, (1.0 + confidence) / 2) for mask in (blocked, asks))
    value, low, high = (getattr(own, end) + refused * getattr(handed, end) for end in ("value", "low", "high"))
    return Share(value=value, low=low, high=min(high, 1.0), n=own.n), asked


def rate(mask: Rows, confidence: float) -> Share:
    """How many of these, by an exact interval; anything at all where there is none."""
    return _rate(int(mask.sum()), len(mask), confidence)


@cache
def _rate(count: int, n: int, confidence: float) -> Share:
    if not n:
        return Share(value=0.0, low=0.0, high=1.0, n=0)
    low, high = clopper_pearson(count, n, confidence)
    return Share(value=count / n, low=low, high=high, n=n)
