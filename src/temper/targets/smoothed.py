"""A target whose decision is the majority of another's under Gaussian noise."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.kernels.sequential import settled
from temper.targets._array import like, to_numpy
from temper.targets._noise import Ballot, Noise, pieces
from temper.targets._wrapper import Wrapper

_COPIES = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Smoothed(Wrapper):
    """`inner` asked `samples` times under noise of `sigma` scales; its scores are the shares of the votes.

    The noise of a row is keyed by the row's own values: the same row gets the same answer, its neighbour another draw.
    What is certified is the vote of infinitely many draws, and near a tie these few may differ from it: `abstains` says
    where. Scores are of the inner kind, moved so that a majority of votes is what the threshold asks for.
    """

    schema: Schema
    sigma: float = 0.25
    samples: int = 100
    threshold: float | None = None
    alpha: float = 0.001
    seed: int = 0

    @property
    def name(self) -> str:
        """The inner adapter's name, said to be smoothed: nothing may look past the noise."""
        return f"smoothed {self.inner.name}"

    @property
    def access(self) -> Access:
        """The inner target's, but for its trees, which no longer are the model."""
        return self.inner.access & ~Access.TREES

    @property
    def digest(self) -> str:
        """Of the inner model and the noise, "" where the inner one has none."""
        return self._digest(f"smoothed {self.sigma} {self.samples} {self.threshold} {self.seed}".encode())

    def scores(self, x: Array) -> Array:
        """Shares of the votes, in the inner kind (n, classes) or (n, 1)."""
        return like(self._shown(self._votes(x)), x)

    def abstains(self, x: Array) -> np.ndarray[Any, Any]:
        """Rows (n,) whose vote cannot be told from a toss of a coin at `alpha`."""
        return ~settled(self._votes(x).max(axis=1), self.samples, self.alpha)

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Shares of the votes, and the mean gradient of the inner scores under a few draws: votes are flat."""
        scores = self.scores(x)
        slope = cast(Callable[[Any], Any], cotangent)(scores)
        copies, ballot, found = min(_COPIES, self.samples), self._ballot(x), x * 0
        for place, steps in pieces(len(x), 0, copies, int(np.prod(x.shape[1:]))):
            noisy = ballot.noise.on(x, ballot.draws, place, steps)
            _, part = self.inner.gradient(noisy, lambda raw, place=place: slope[place])  # type: ignore[misc]
            found = _gathered(found, place, part)
        return scores, found / copies

    def _ballot(self, x: Array) -> Ballot:
        draws = Draws(self.seed, "smoothed", ids=_keys(x), like=x)
        noise = Noise(schema=self.schema, sigma=self.sigma)
        return Ballot(target=self.inner, noise=noise, threshold=self.threshold, draws=draws)

    def _votes(self, x: Array) -> np.ndarray[Any, Any]:
        return self._ballot(x).count(x, np.arange(len(x)), 0, self.samples)

    def _shown(self, votes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Votes as scores whose threshold is passed where the majority is."""
        level = self.threshold
        if self.kind is ScoreKind.MARGIN:
            return (votes[:, 1:] / self.samples - 0.5) + (level or 0.0)
        if self.kind is ScoreKind.LOGITS:
            shown = np.log(votes + 0.5)
            if level is not None and votes.shape[1] == 2:
                shown[:, 1] += math.log(level / (1.0 - level))
            return np.asarray(shown)
        share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
        if level is None or votes.shape[1] != 2:
            return np.asarray(share)
        one = np.interp(share[:, 1], (0.0, 0.5, 1.0), (0.0, level, 1.0))
        return np.stack([1.0 - one, one], axis=1)


def _keys(x: Array) -> np.ndarray[Any, Any]:
    """A number per row that depends on its values alone."""
    flat = np.ascontiguousarray(to_numpy(x).reshape((len(x), -1)), dtype=np.float64) + 0.0
    made = [
        int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little", signed=True) for row in flat
    ]
    return np.array(made, dtype=np.int64)


def _gathered(total: Array, place: Any, part: Array) -> Array:
    """`part` added to the rows at `place`, which may repeat."""
    if isinstance(total, np.ndarray):
        total = np.nan_to_num(total.astype(np.float64))
        np.add.at(total, place, part)
        return total
    import torch

    return total.index_add(0, torch.as_tensor(place, device=total.device), part.to(total.dtype))
