"""What is kept of every row of a window where scores are watched: which train it belongs to, when, and its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.kernels.cells import single

Array = np.ndarray[Any, Any]
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trail:
    """Of each row (n,) with a score its `key`, `at` in seconds and `score`: 24 bytes, however wide rows are.

    Rows of one key are of one client and agree in every column that no attacker sets: they are the same case, tried
    again.
    """

    key: Array
    at: Array
    score: Array

    @staticmethod
    def none() -> Trail:
        """Of no rows."""
        return Trail(key=np.zeros(0, np.uint64), at=np.zeros(0), score=np.zeros(0))

    @staticmethod
    def of(x: Array, fixed: Array, at: Array, clients: Array | None) -> Trail:
        """Of rows (n, d) whose last column is the score."""
        words = [single(x[:, column]) for column in np.flatnonzero(fixed)]
        key = np.zeros(len(x), np.uint64) if clients is None else clients.astype(np.int64).view(np.uint64)
        for values in words:
            key = _mixed(key, np.where(np.isnan(values), np.float32(np.nan), values).view(np.uint32))
        kept = np.isfinite(x[:, -1])
        return Trail(key=key[kept], at=np.asarray(at, dtype=float)[kept], score=single(x[kept, -1]).astype(float))

    def __add__(self, other: Trail) -> Trail:
        return Trail(
            key=np.concatenate([self.key, other.key]),
            at=np.concatenate([self.at, other.at]),
            score=np.concatenate([self.score, other.score]),
        )

    def trains(self, least: int) -> list[Array]:
        """The scores of every key with at least so many rows, each in order of time (of one moment: by score)."""
        keys, many = np.unique(self.key, return_counts=True)
        kept = np.flatnonzero((many >= least)[np.searchsorted(keys, self.key)])  # few of the rows, as a rule
        order = kept[np.lexsort((self.score[kept], self.at[kept], self.key[kept]))]
        return np.split(self.score[order], np.cumsum(many[many >= least])[:-1]) if len(kept) else []


def _mixed(key: Array, word: Array) -> Array:
    """Vigna's splitmix64 of both: rows that differ in one bit have unrelated keys."""
    with np.errstate(over="ignore"):
        z = (key ^ word.astype(np.uint64)) + _ODD
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))
