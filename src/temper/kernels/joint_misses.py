"""Pairs of layers that miss the same attempts more often than chance would have it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from temper.kernels.several import discoveries

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Joint:
    """Two layers: which share of the attempts both miss, which share they would if one missed whatever the other does,
    and how often chance shows as much; `found` among all pairs.
    """

    first: int
    second: int
    seen: float
    by_chance: float
    p: float
    found: bool


def joint_misses(
    misses: Rows, actor: Rows, rng: np.random.Generator, *, rate: float = 0.05, replicates: int = 2_000
) -> tuple[Joint, ...]:
    """Every pair of layers of `misses` (n, layers), each with a one-sided p-value; at most `rate` of those found are
    wrong on average.

    Chance deals one layer's misses to other actors, and within an actor to any of his attempts. So what actors have in
    common is no evidence, however many attempts each makes. Misleads where attempts of one actor come in heaps that
    both layers miss; about pairs of which one misses all or nothing it can tell nothing.
    Source: a permutation test in two stages (Good, "Permutation tests", 2000); Benjamini & Hochberg, 1995.

    >>> blind = np.arange(40) % 2 == 0
    >>> both = joint_misses(np.stack([blind, blind], axis=1), np.arange(40), np.random.default_rng(0))
    >>> both[0].seen, both[0].by_chance, both[0].found
    (0.5, 0.25, True)
    """
    if misses.shape[1] < 2:
        return ()
    _, place, sizes = np.unique(actor, return_inverse=True, return_counts=True)
    shares = np.stack([np.bincount(place, weights=column) for column in misses.T], axis=1) / sizes[:, None]
    orders = np.argsort(rng.random((replicates, len(sizes))), axis=1)
    told = []
    for first, second in combinations(range(misses.shape[1]), 2):
        both = np.bincount(place, weights=misses[:, first] & misses[:, second])
        seen = float((both / sizes).mean())
        chance = _by_chance(shares[:, first], shares[:, second], sizes, orders, rng)
        p = (1 + int((chance >= seen - 1e-12).sum())) / (1 + replicates)
        told.append((first, second, seen, float(shares[:, first].mean() * shares[:, second].mean()), p))
    found = set(discoveries([one[-1] for one in told], rate).tolist()) if told else set()
    return tuple(Joint(*one, at in found) for at, one in enumerate(told))


def _by_chance(first: Rows, second: Rows, sizes: Rows, orders: Rows, rng: np.random.Generator) -> Rows:
    """Shares that both would miss (replicates,), where one layer's misses are dealt out anew."""
    missed = np.rint(first * sizes).astype(np.int64)
    other = np.rint(second[orders] * sizes).astype(np.int64)
    both = rng.hypergeometric(np.broadcast_to(missed, other.shape), sizes - missed, other)
    return np.asarray((both / sizes).mean(axis=1))
