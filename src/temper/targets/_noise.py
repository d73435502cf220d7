"""Gaussian noise on what an attacker moves smoothly, and the votes of a model under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind, Target
from temper.kernels.loss import decide
from temper.targets._array import finite, to_numpy

Rows = np.ndarray[Any, Any]
_BATCH, _CELLS = 60_000, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noise:
    """Normal noise of `sigma` scales on movable columns of type number, or on all of an input without columns.

    Noised columns are cut to their range and derived ones follow; whole numbers, categories and immutable columns stay.
    """

    schema: Schema
    sigma: float

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise Unsupported(f"noise of sigma {self.sigma:g} smooths nothing", fix="give sigma a positive number")
        if self.schema.columns and not len(self.columns):
            raise Unsupported(
                "there is no movable column of type number to put noise on",
                fix="use augment or coarse for such a table",
            )

    @property
    def columns(self) -> Rows:
        """Positions of the noised columns; empty for inputs without columns, which are noised whole."""
        return np.flatnonzero([c.movable and c.type == "number" and not c.group for c in self.schema.columns])

    @property
    def still(self) -> float:
        """The distance below which no other column can be changed: one whole step, another category, a value gone."""
        own = set(self.columns.tolist())
        steps = [1.0 / c.scale for at, c in enumerate(self.schema.columns) if c.movable and at not in own]
        steps += [1.0 for at, c in enumerate(self.schema.columns) if c.movable and (c.missing or _named(c.type))]
        return min(steps, default=np.inf)

    def width(self, shape: tuple[int, ...]) -> int:
        """How many values of a row get noise."""
        return len(self.columns) if self.schema.columns else int(np.prod(shape))

    def on(self, x: Array, draws: Draws, rows: Rows, steps: Rows) -> Array:
        """Rows of `x` with the noise of their steps, one of each per result."""
        clean = x[rows]
        if not self.schema.columns:
            drawn = draws.normal(rows, steps, tuple(x.shape[1:]))
            return clean + self.sigma * (drawn if isinstance(drawn, np.ndarray) else drawn.to(clean.dtype))
        at, noisy = self.columns, np.array(clean, dtype=np.float64)
        drawn = draws.normal(rows, steps, (len(at),)) * self.sigma * self.schema.scales[at]
        noisy[:, at] = np.clip(noisy[:, at] + drawn, self.schema.lows[at], self.schema.highs[at])
        return self.schema.derive(noisy, clean)


def _named(kind: str) -> bool:
    return kind in ("category", "boolean")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ballot:
    """A model that is asked for its decision under noise, with the numbers of each row keyed by its id."""

    target: Target
    noise: Noise
    threshold: float | None
    draws: Draws

    def count(self, x: Array, rows: Rows, start: int, stop: int) -> Rows:
        """Votes (len(rows), classes) of draws number `start` to `stop` of every row; a lost score is no vote."""
        classes = self.target.classes
        votes = np.zeros((len(rows), classes), dtype=np.int64)
        for place, steps in pieces(len(rows), start, stop, int(np.prod(x.shape[1:]))):
            scores = self.target.scores(self.noise.on(x, self.draws, rows[place], steps))
            label = to_numpy(decide(scores, self.target.kind, self.threshold)).astype(np.int64)
            counted = to_numpy(finite(scores)).all(axis=1)
            np.add.at(votes, (place[counted], label[counted]), 1)
        return votes


def pieces(rows: int, start: int, stop: int, width: int) -> Iterator[tuple[Rows, Rows]]:
    """Every pair of a row's place and a draw's number, in batches that fit into memory."""
    size = max(1, min(_BATCH, _CELLS // max(width, 1)))
    total = rows * (stop - start)
    for first in range(0, total, size):
        at = np.arange(first, min(first + size, total))
        yield at // (stop - start), start + at % (stop - start)


def votable(kind: ScoreKind) -> None:
    """Raise `Unsupported` where a model has no decision to vote on."""
    if kind is ScoreKind.VALUE:
        raise Unsupported(
            "a regression target has values and no decisions to vote on", fix="use a defence of the model itself"
        )
