"""What each of several layers is worth: alone, at the margin of all others, and its Shapley value.

A set of layers is a whole number, bit i for layer i. A game is a table of worths with one column per set, one row per
actor. Figures are linear in it: where every set is there they are a product with a matrix that depends on the number of
layers alone, and where layers are many they come of sets along random orders.
"""

from __future__ import annotations

from functools import cache
from math import factorial
from typing import Any

import numpy as np

from temper.core.errors import TemperError

Floats = np.ndarray[Any, Any]
MOST, LARGEST = 10, 62
"""Layers whose every set is looked at, beyond which orders are sampled; and how many a set can be of."""


def dealt(stops: Floats) -> Floats:
    """Shapley values of the coverage game of each attempt (n, layers), for any number of layers: those that stop it
    share it equally.

    Source: closed form of the Shapley value of a union game.

    >>> dealt(np.array([[True, True], [False, True], [False, False]]))
    array([[0.5, 0.5],
           [0. , 1. ],
           [0. , 0. ]])
    """
    many = stops.sum(axis=1, keepdims=True)
    return np.asarray(stops / np.maximum(many, 1))


@cache
def shapley_of(layers: int) -> Floats:
    """The matrix (2**layers, layers) that turns the worths of all sets into Shapley values.

    Source: Shapley, "A value for n-person games", 1953. The glove game (two left hands, one right):

    >>> gloves = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    >>> (gloves @ shapley_of(3)).round(4)
    array([0.1667, 0.1667, 0.6667])
    """
    sets = np.arange(2**layers)
    size = sum((sets >> bit) & 1 for bit in range(layers))
    before = np.array([factorial(k - 1) * factorial(layers - k) if k else 0 for k in range(layers + 1)])[size]
    after = np.array([factorial(k) * factorial(layers - k - 1) if k < layers else 0 for k in range(layers + 1)])[size]
    inside = (sets[:, None] >> np.arange(layers)) & 1
    found: Floats = np.where(inside, before[:, None], -after[:, None]) / factorial(layers)
    found.setflags(write=False)
    return found


@cache
def figures_of(layers: int) -> Floats:
    """The matrix (2**layers, 3 * layers) of all three figures: alone, at the margin of the others, Shapley value."""
    one, whole = np.eye(2**layers), 2**layers - 1
    bits = [1 << bit for bit in range(layers)]
    alone = np.stack([one[bit] - one[0] for bit in bits], axis=1)
    margin = np.stack([one[whole] - one[whole - bit] for bit in bits], axis=1)
    found = np.concatenate([alone, margin, shapley_of(layers)], axis=1)
    found.setflags(write=False)
    return found


def orders(layers: int, rng: np.random.Generator, rounds: int) -> Floats:
    """Random orders of the layers (2 * rounds, layers), each followed by its reverse.

    >>> orders(4, np.random.default_rng(0), 1).tolist()
    [[2, 0, 1, 3], [3, 1, 0, 2]]
    """
    found = rng.permuted(np.tile(np.arange(layers), (rounds, 1)), axis=1)
    return np.stack([found, found[:, ::-1]], axis=1).reshape(2 * rounds, layers)


def along(orders: Floats) -> Floats:
    """The sets (n, layers + 1) that grow in these orders, from none to all layers.

    >>> along(np.array([[2, 0, 1]])).tolist()
    [[0, 4, 5, 7]]
    """
    sets = np.cumsum(np.left_shift(1, orders.astype(np.int64)), axis=1)
    return np.concatenate([np.zeros((len(orders), 1), dtype=np.int64), sets], axis=1)


def sampled(worths: Floats, sets: Floats, orders: Floats) -> tuple[Floats, Floats]:
    """Shapley values (actors, layers) over orders and their reverses, and the standard errors (layers,) that taking so
    few orders leaves in their means. `worths` (actors, n) are those of `sets` (n,), which rise and hold all `along` the
    orders. Values add up to the worth of all layers always.

    Misleads below some ten orders, where the standard errors are themselves uncertain.
    Source: Castro, Gómez & Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009; Mitchell et
    al., "Sampling permutations for Shapley value estimation", 2022 (reverses).

    >>> some = orders(3, np.random.default_rng(0), 2)
    >>> sampled(np.array([[0, 1, 0, 1, 0, 1, 0, 1.0]]), np.arange(8), some)
    (array([[1., 0., 0.]]), array([0., 0., 0.]))
    """
    rounds, layers = len(orders) // 2, orders.shape[1]
    if rounds < 2:
        raise TemperError(f"{rounds} rounds have no standard error", fix="ask for two at least")
    total, means = np.zeros((len(worths), layers)), np.empty((2 * rounds, layers))
    for at, (order, chain) in enumerate(zip(orders, np.searchsorted(sets, along(orders)), strict=True)):
        added = np.diff(worths[:, chain], axis=1)
        total[:, order] += added
        means[at, order] = added.mean(axis=0)
    pairs = (means[::2] + means[1::2]) / 2
    return total / (2 * rounds), pairs.std(axis=0, ddof=1) / np.sqrt(rounds)


def upward(passed: Floats, sets: Floats, *, together: bool = False) -> Floats:
    """What gets through each of `sets` (actors, n), given that whoever gets through more layers gets through fewer: the
    most that was seen of any set around it, by each actor, or by all `together`, who choose one set for all.

    >>> upward(np.array([[1.0, 0.2, 0.5, 0.4]]), np.arange(4))
    array([[1. , 0.4, 0.5, 0.4]])
    """
    return np.stack([furthest(passed[:, (sets & one) == one], together=together) for one in sets], axis=1)


def furthest(passed: Floats, *, together: bool = False) -> Floats:
    """The most that gets through any of some sets (actors, n), by each actor, or by all `together`."""
    return np.asarray(passed[:, passed.mean(axis=0).argmax()] if together else passed.max(axis=1))


def least(sets: Floats) -> list[int]:
    """Of sets (n,), those that contain no other, the fewest layers first.

    >>> least(np.array([0b011, 0b111, 0b100, 0b110]))
    [4, 3]
    """
    found: list[int] = []
    for one in sorted(map(int, sets), key=lambda one: (one.bit_count(), one)):
        if not any(one & other == other for other in found):
            found.append(one)
    return found


def front(costs: Floats) -> Floats:
    """Which rows (n,) of `costs` (n, k) no other row beats: nowhere dearer, and somewhere cheaper. Of equal rows the
    first.

    >>> front(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]]))
    array([ True,  True, False, False])
    """
    none_dearer = (costs[:, None] <= costs[None]).all(axis=2)
    beats = none_dearer & (costs[:, None] < costs[None]).any(axis=2)
    same = none_dearer & none_dearer.T & np.tri(len(costs), k=-1, dtype=bool).T
    return np.asarray(~(beats | same).any(axis=0))
