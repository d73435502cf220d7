"""What each of several layers is worth: alone, at the margin of all others, and its Shapley value.

A set of layers is a whole number, bit i for layer i. A game is a table of worths with one column per set, one row per
actor; everything here is linear in it, so a row's figures are a product with a matrix that depends on the number of
layers alone, and so are those of a resample of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import factorial
from typing import Any

import numpy as np

from temper.core.errors import TemperError

Floats = np.ndarray[Any, Any]
MOST = 10
"""Layers whose every set is looked at; beyond them orders are sampled."""


def covered(stops: Floats, worth: Floats, actor: Floats, actors: Floats) -> Floats:
    """The coverage game (actors, 2**layers): which share of the worth that each actor tried every set of layers stops.

    `stops` (n, layers) is what each layer stops by itself, `actors` the actors in rising order. Who tried nothing of
    worth has lost nothing: all is stopped by every set but the empty one.

    >>> stops = np.array([[True, False], [True, True]])
    >>> covered(stops, np.array([3.0, 1.0]), np.array([0, 0]), np.array([0]))
    array([[0.  , 1.  , 0.25, 1.  ]])
    """
    layers = stops.shape[1]
    if layers > MOST:
        raise TemperError(f"{layers} layers have too many sets", fix=f"put some together: {MOST} at most")
    inside = np.zeros((len(actors), 2**layers))
    np.add.at(inside, (np.searchsorted(actors, actor), stops @ (1 << np.arange(layers))), worth)
    for bit in range(layers):  # sums over subsets: what is stopped by no layer outside of the set
        halves = inside.reshape(len(actors), -1, 2, 1 << bit)
        halves[:, :, 1] += halves[:, :, 0]
    total = inside[:, -1:]
    passed = np.divide(inside[:, ::-1], total, out=np.zeros_like(inside), where=total > 0)
    passed[:, 0] = 1.0
    return np.asarray(1.0 - passed)


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


def sampled(worth: Callable[[int], float], layers: int, rng: np.random.Generator, rounds: int) -> tuple[Floats, Floats]:
    """Shapley values (layers,) over `rounds` random orders and their reverses, with standard errors; a set is asked for
    once. Adds up to the worth of all layers always.

    Misleads below some ten rounds, where the standard errors are themselves uncertain.
    Source: Castro, Gómez & Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009; Mitchell et
    al., "Sampling permutations for Shapley value estimation", 2022 (reverses).

    >>> found, error = sampled(lambda layers: float(layers & 1), 12, np.random.default_rng(0), 3)
    >>> found[:2], error[:2]
    (array([1., 0.]), array([0., 0.]))
    """
    if rounds < 2:
        raise TemperError(f"{rounds} rounds have no standard error", fix="ask for two at least")
    known = cache(worth)
    found = np.empty((rounds, layers))
    for at in range(rounds):
        order = rng.permutation(layers)
        found[at] = (_along(known, order) + _along(known, order[::-1])) / 2
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(rounds)


def _along(worth: Callable[[int], float], order: Floats) -> Floats:
    """What each layer adds in this order."""
    sets = np.cumsum(1 << order.astype(object))
    found = np.empty(len(order))
    found[order] = np.diff([worth(0), *(worth(int(one)) for one in sets)])
    return found


def upward(passed: Floats, *, together: bool = False) -> Floats:
    """What gets through every set (actors, 2**layers), given that whoever gets through more layers gets through fewer:
    the most that was seen of any set around it, by each actor, or by all `together`, who choose one set for all.

    >>> upward(np.array([[1.0, 0.2, 0.5, 0.4]]))
    array([[1. , 0.4, 0.5, 0.4]])
    """
    found = np.array(passed)
    many, sets = found.shape
    for bit in range(sets.bit_length() - 1):
        halves = found.reshape(many, -1, 2, 1 << bit)
        fewer, more = halves[:, :, 0], halves[:, :, 1]
        gains = (more - fewer).mean(axis=0) > 0 if together else more > fewer
        np.copyto(fewer, more, where=gains)
    return found


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
