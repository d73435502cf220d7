"""Counter-based random numbers: the value depends only on (run seed, plugin, sample id, step, position)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit number
_MIX1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX2 = -7723592293110705685  # 0x94D049BB133111EB


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers keyed by sample, so that dropping rows, sharding or more workers change nobody's numbers.

    `rows` are positions in the scene; `ids` maps them to the stable sample ids that key the numbers.
    Source: Steele, Lea & Flood, "Fast splittable pseudorandom number generators", 2014 (SplitMix64's mixer).

    >>> rng = Draws(seed=0, name="evasion.noise")
    >>> a, b = rng.uniform([4, 7], 0, (3,)), rng.uniform([7], 0, (3,))
    >>> bool((a[1] == b[0]).all())
    True
    """

    seed: int
    name: str
    ids: Any = None
    like: Any = None

    def uniform(self, rows: Any, step: Any, shape: tuple[int, ...] = (), low: float = 0.0, high: float = 1.0) -> Array:
        """Uniform numbers in [low, high), shaped (len(rows), *shape), on the device of `like`.

        `step` is one number, or one per row when a row draws several times at once.
        """
        bits = self._bits(rows, step, math.prod(shape))
        if isinstance(bits, np.ndarray):
            unit = bits.astype(np.float64) * 2.0**-53
        else:
            import torch

            unit = bits.to(torch.float64) * 2.0**-53
        return (low + (high - low) * unit).reshape((bits.shape[0], *shape))

    def normal(self, rows: Any, step: Any, shape: tuple[int, ...] = ()) -> Array:
        """Standard normal numbers by Box-Muller, shaped (len(rows), *shape)."""
        pair = self.uniform(rows, step, (2, max(math.prod(shape), 1)))
        if isinstance(pair, np.ndarray):
            flat: Array = np.sqrt(-2.0 * np.log1p(-pair[:, 0])) * np.cos(2.0 * np.pi * pair[:, 1])
        else:
            import torch

            flat = torch.sqrt(-2.0 * torch.log1p(-pair[:, 0])) * torch.cos(2.0 * math.pi * pair[:, 1])
        return flat.reshape((flat.shape[0], *shape))

    def integers(self, rows: Any, step: Any, high: int, shape: tuple[int, ...] = ()) -> Array:
        """Whole numbers in [0, high)."""
        unit = self.uniform(rows, step, shape)
        if isinstance(unit, np.ndarray):
            return (unit * high).astype(np.int64)
        return (unit * high).long()

    def each(self, rows: Any, step: int) -> Iterator[np.random.Generator]:
        """One NumPy generator per row, keyed like its other numbers: for rows that take thousands of numbers each."""
        for key in np.asarray(self._bits(rows, step, 1))[:, 0]:
            yield np.random.Generator(np.random.Philox(key=int(key)))

    def generator(self, step: int = 0) -> np.random.Generator:
        """A NumPy generator for work that is not per sample (a refit, a bootstrap), keyed by (seed, name, step)."""
        return np.random.Generator(np.random.Philox(key=[_key(self.seed, self.name) & (2**64 - 1), step]))

    def integer(self, step: int = 0) -> int:
        """One whole number below 2**31, for libraries that take a seed."""
        return int(self.generator(step).integers(2**31 - 1))

    def child(self, name: str) -> Draws:
        """Independent numbers for a part of the same task."""
        return Draws(self.seed, f"{self.name}/{name}", self.ids, self.like)

    def _bits(self, rows: Any, step: Any, width: int) -> Array:
        """53 random bits per position as signed 64-bit integers."""
        listed = rows if isinstance(rows, np.ndarray) or not hasattr(rows, "tolist") else rows.tolist()
        ids: Array = np.asarray(listed, dtype=np.int64)
        if self.ids is not None:
            ids = np.asarray(self.ids, dtype=np.int64)[ids]
        count: Array = np.arange(1, width + 1, dtype=np.int64)
        if self.like is not None and not isinstance(self.like, np.ndarray):
            import torch

            ids = torch.as_tensor(ids, device=self.like.device)
            count = torch.as_tensor(count, device=self.like.device)
        with np.errstate(over="ignore"):
            turn: Array = np.asarray(step, dtype=np.int64) * np.int64(_GOLDEN)
            if not isinstance(ids, np.ndarray):
                turn = torch.as_tensor(turn, device=ids.device)
            start = _mix(_mix(ids * _GOLDEN + _key(self.seed, self.name)) + turn)
            return (_mix(start[:, None] + count * _GOLDEN) >> 11) & ((1 << 53) - 1)


def _mix(z: Array) -> Array:
    z = (z ^ ((z >> 30) & ((1 << 34) - 1))) * _MIX1
    z = (z ^ ((z >> 27) & ((1 << 37) - 1))) * _MIX2
    return z ^ ((z >> 31) & ((1 << 33) - 1))


def _key(seed: int, name: str) -> int:
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
