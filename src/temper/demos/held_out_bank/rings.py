"""Fraud as a trade: rings with several strategies each, of which what pays is done more often, varied and copied."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from temper.demos.held_out_bank.deeds import Deeds

Array = np.ndarray[Any, Any]


class Gene(IntEnum):
    """What a strategy decides, each in [0, 1]."""

    AMOUNT = 0  # how much at once, from a little below the usual to forty times as much
    NIGHT = 1  # how often at night
    AGED = 2  # how old the mule accounts are that are bought
    COACHED = 3  # how often the victims are talked into paying themselves
    PATIENT = 4  # how long a new device lies still before it pays
    CALM = 5  # how slowly the session is gone through
    PRELUDE = 6  # how often a small payment to the mule comes first
    SPLIT = 7  # into how many payments the amount is split
    RICH = 8  # how choosy about the victim's balance
    MIMIC = 9  # how often rail and channel are the victim's own
    SPREAD = 10  # how often a mule account is used once only


GENES = len(Gene)
VARIANTS = 6
TRIES = 1.2  # deeds of a ring and day
START = 600.0  # dollars a ring begins with

_BORN = {Gene.AMOUNT: (3.0, 2.0), Gene.NIGHT: (1.2, 2.5), Gene.COACHED: (2.5, 2.0)}  # beta; other genes are lazy
_LAZY = (1.2, 3.0)
_JITTER = 0.06
_SELECTION, _RARE = 0.35, 0.02  # how fast shares follow success, and the least of them
_TOWARDS = 0.3  # how far a strategy moves to what passed
_BORNE, _COPIED, _STEP = 0.3, 0.5, 0.12  # chance of a new variant a day, that it is another ring's, and its mutation
_KEEPS = 0.9  # what is left of yesterday in a ring's trend
_MODEST = 40.0  # dollars from which profit counts by its logarithm


class Rings:
    """`count` places for rings. One that runs out of money leaves; its place stays empty for some days.

    A ring's members share what they learn at once; other rings only see who does well, and copy with mistakes. Without
    `adaptive` nobody learns, grows or leaves.
    Source: Taylor & Jonker, "Evolutionary stable strategies and game dynamics", 1978 (replicator dynamics); the move
    towards what passed is that of evolution strategies: Wierstra et al., "Natural evolution strategies", 2014.
    """

    def __init__(self, count: int, adaptive: bool, rng: np.random.Generator) -> None:
        self.adaptive = adaptive
        self.strategy = _born(count * VARIANTS, rng).reshape(count, VARIANTS, GENES)
        self.share = np.full((count, VARIANTS), 1.0 / VARIANTS)
        self.money = np.full(count, START)
        self.bar = np.zeros(count)
        self.trend = np.zeros(count)
        self.actor = np.arange(count)
        self.arrives = np.zeros(count, dtype=np.int64)
        self._known = count

    def __len__(self) -> int:
        return len(self.money)

    def tries(self, today: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """(ring, variant, genes) of each deed of the day; who has more money tries more."""
        means = np.clip(np.sqrt(np.maximum(self.money, 0.0) / START), 0.5, 2.0)
        count = rng.poisson(TRIES * means * (self.arrives <= today))
        ring = np.repeat(np.arange(len(self)), count)
        variant = _drawn(self.share[ring], rng)
        genes = self.strategy[ring, variant] + _JITTER * rng.normal(size=(len(ring), GENES))
        return ring, variant, np.clip(genes, 0.0, 1.0)

    def learn(self, deeds: Deeds, gained: Array, today: int, rng: np.random.Generator) -> None:
        """What came of yesterday's deeds (dollars each) changes what is done, who tries it and who is still there."""
        if not self.adaptive or not len(gained):
            return
        profit = gained - deeds.cost
        np.add.at(self.money, deeds.ring, profit)
        self.trend = _KEEPS * self.trend + np.bincount(deeds.ring, profit, len(self))
        self._select(deeds, np.sign(profit) * np.log1p(np.abs(profit) / _MODEST))
        self._vary(rng)
        self._leave(today, rng)

    def _select(self, deeds: Deeds, liking: Array) -> None:
        ring, variant = deeds.ring, deeds.variant
        better = liking - self.bar[ring]
        np.multiply.at(self.share, (ring, variant), np.exp(_SELECTION * np.clip(better, -3.0, 3.0)))
        self.share = np.maximum(self.share / self.share.sum(axis=1, keepdims=True), _RARE)
        self.share /= self.share.sum(axis=1, keepdims=True)
        pull = _TOWARDS * np.clip(better, 0.0, 1.0)[:, None] * (deeds.genes - self.strategy[ring, variant])
        np.add.at(self.strategy, (ring, variant), pull)
        self.strategy = np.clip(self.strategy, 0.0, 1.0)
        np.add.at(self.bar, ring, 0.2 * np.clip(better, -3.0, 3.0))

    def _vary(self, rng: np.random.Generator) -> None:
        """Some rings try something new in place of what they do least."""
        ring = np.flatnonzero(rng.uniform(size=len(self)) < _BORNE)
        model = np.where(rng.uniform(size=len(ring)) < _COPIED, self._admired(len(ring), rng), ring)
        weakest = self.share[ring].argmin(axis=1)
        self.strategy[ring, weakest] = self._children(model, rng)
        self.share[ring, weakest] = 0.7 / VARIANTS
        self.share /= self.share.sum(axis=1, keepdims=True)

    def _leave(self, today: int, rng: np.random.Generator) -> None:
        """Who is broke goes; who comes after copies the best of the trade or begins with ideas of their own."""
        gone = np.flatnonzero((self.money < 0.0) & (self.arrives <= today))
        self.arrives[gone] = today + rng.geometric(0.4, len(gone))
        self.actor[gone] = self._known + np.arange(len(gone))
        self._known += len(gone)
        self.money[gone], self.bar[gone], self.trend[gone] = START, 0.0, 0.0
        self.share[gone] = 1.0 / VARIANTS
        models = np.repeat(self._admired(len(gone), rng), VARIANTS)
        copies = self._children(models, rng).reshape(len(gone), VARIANTS, GENES)
        own = _born(len(models), rng).reshape(copies.shape)
        self.strategy[gone] = np.where((rng.uniform(size=(len(gone), VARIANTS)) < 0.6)[..., None], copies, own)

    def _admired(self, many: int, rng: np.random.Generator) -> Array:
        """Rings drawn by how well they do; those that lose are seldom looked at."""
        liking = np.log1p(np.maximum(self.trend, 0.0) / _MODEST) + 1e-3
        return rng.choice(len(self), many, p=liking / liking.sum())

    def _children(self, ring: Array, rng: np.random.Generator) -> Array:
        """Of each of these rings one strategy with mistakes, by how often they do it."""
        parent = self.strategy[ring, _drawn(self.share[ring], rng)]
        changed = rng.uniform(size=parent.shape) < 0.5
        return np.clip(parent + changed * _STEP * rng.normal(size=parent.shape), 0.0, 1.0)


def _born(many: int, rng: np.random.Generator) -> Array:
    """Strategies of beginners."""
    return np.column_stack([rng.beta(*_BORN.get(gene, _LAZY), many) for gene in Gene])


def _drawn(shares: Array, rng: np.random.Generator) -> Array:
    """One variant for each row of shares."""
    chance = rng.uniform(size=(len(shares), 1))
    found: Array = np.minimum((chance > np.cumsum(shares, axis=1)).sum(axis=1), VARIANTS - 1)
    return found
