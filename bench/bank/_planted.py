"""PLANTED layers: each catches a known share of each kind of fraudster, so the truth of every set is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.seed import Draws
from temper.demos.bank.world import Payments
from temper.kernels.coalitions import Floats, shapley_of

KINDS, LAYERS = 3, 4
FALSE = 0.002  # honest payments that each of them stops
_NAMES = tuple(f"PLANTED {at}" for at in range(1, LAYERS + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Stops a share `caught` (kinds,) of the attempts of each kind, whatever they look like; a fraudster's kind is a
    number that nobody can change or see.
    """

    name: str
    caught: tuple[float, ...]
    seed: int

    def __call__(self, day: Payments, number: int) -> Floats:
        """Which payments it stops."""
        kind = Draws(self.seed, "kind").integers(np.maximum(day.actor, 0), 0, KINDS)
        share = np.where(day.fraud, np.array(self.caught)[kind], FALSE)
        return np.asarray(Draws(self.seed, self.name).uniform(np.arange(len(day)), number) < share)


def truth(caught: Floats) -> Floats:
    """What every set of layers stops on average (2**layers,), of `caught` (layers, kinds); kinds are equally many.

    >>> truth(np.array([[0.5, 0.5, 0.5], [0.2, 0.2, 0.2]])).round(2)
    array([0. , 0.5, 0.2, 0.6])
    """
    inside = (np.arange(2 ** len(caught))[:, None] >> np.arange(len(caught))) & 1
    missed = np.where(inside[:, :, None] == 1, 1.0 - caught, 1.0).prod(axis=1)
    return np.asarray(1.0 - missed.mean(axis=1))


def parts(caught: Floats) -> Floats:
    """The Shapley value of each layer (layers,): its fair part of what all stop."""
    return np.asarray(truth(caught) @ shapley_of(len(caught)))


def planted(seed: int, gap: float) -> tuple[dict[str, Planted], Floats]:
    """Layers in a random order of strength, each with blind spots of its own, and what they catch (layers, kinds). The
    parts of any two differ by `gap` at least.
    """
    rng = Draws(seed, "bench.bank.planted").generator()
    while True:
        caught = rng.uniform(0.0, rng.uniform(0.1, 0.95, (LAYERS, 1)), (LAYERS, KINDS))
        if np.diff(np.sort(parts(caught))).min() >= gap:
            break
    layers = {
        name: Planted(name=name, caught=tuple(map(float, row)), seed=seed)
        for name, row in zip(_NAMES, caught, strict=True)
    }
    return layers, caught
