"""Scores of a batch go to the wrong rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled:
    """The scores of one answer are given to its rows in another order, as by a batching server that mixes them up.

    Misleads about rows that are asked alone: they have nobody to be mixed up with, and nothing changes.
    Source: the mix-ups in dynamic batches that serving frameworks had and mended.

    >>> sorted(Shuffled().answer(np.array([0.1, 0.2, 0.3]), np.empty(0), Draws(0, "x")).tolist())
    [0.1, 0.2, 0.3]
    """

    def answer(self, scores: Array, earlier: Array, rng: Draws) -> Array:
        """What is answered in place of these scores; `earlier` are the true ones of before, the latest last."""
        found = np.asarray(scores)
        if len(found) < 2:
            return np.array(found)
        order = np.argsort(rng.uniform(np.arange(len(found)), 0))
        # Where the draw leaves everything in its place, everything moves on by one.
        return np.array(found[order if (order != np.arange(len(found))).any() else np.roll(order, 1)])


PLUGIN = Shuffled
