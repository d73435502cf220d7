"""Scores of earlier rows are answered again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.errors import ConfigError
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """Every row gets the score of the row `lag` rows before it, as from a cache with a wrong key.

    Misleads where rows repeat: there an old score may be the right one. Before `lag` rows were seen nothing changes.
    Source: the answers of caches keyed by too little.

    >>> Stale(lag=1).answer(np.array([0.2, 0.3]), np.array([0.1]), Draws(0, "x"))
    array([0.1, 0.2])
    """

    lag: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.lag <= 10_000:
            raise ConfigError(f"lag is {self.lag!r}", fix="1 to 10,000 rows")

    def answer(self, scores: Array, earlier: Array, rng: Draws) -> Array:
        """What is answered in place of these scores; `earlier` are the true ones of before, the latest last."""
        found = np.asarray(scores)
        known = np.concatenate([np.asarray(earlier, dtype=found.dtype).reshape((-1, *found.shape[1:])), found])
        if len(known) < len(found) + self.lag:
            return np.array(found)
        return np.array(known[len(known) - len(found) - self.lag : len(known) - self.lag])


PLUGIN = Stale
