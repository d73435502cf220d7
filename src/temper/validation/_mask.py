"""The smallest patch that sends other pictures to one class: a mask and a pattern, found by gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.target import ScoreKind, Target
from temper.kernels.loss import decide
from temper.kernels.slope import Aim, climb

Rows = np.ndarray[Any, Any]

_WANTED, _PATIENCE, _FACTOR = 0.99, 5, 1.5
_FIRST, _DECAY, _TINY = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """`mask` (h, w) in [0, 1] and `pattern` (c, h, w); `size` is the sum of the mask, in pixels."""

    mask: Rows
    pattern: Rows

    @property
    def size(self) -> float:
        """How many pixels it takes."""
        return float(self.mask.sum())

    def on(self, x: Rows) -> Rows:
        """The pictures with the patch on them."""
        return np.asarray((1.0 - self.mask) * x + self.mask * self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How long and how fast to look: Adam on mask and pattern; `price` of a pixel at the start."""

    steps: int = 300
    rate: float = 0.1
    price: float = 3e-2


def smallest(target: Target, x: Rows, label: int, low: float, high: float, search: Search) -> Patch:
    """The smallest patch seen that sends 99 % of `x` (n, c, h, w) to `label`; the last one where none did.

    The price of a pixel rises while the patch works and falls while it does not.
    """
    mask, pattern = np.full(x.shape[2:], -1.0), np.zeros(x.shape[1:])
    moments = [np.zeros_like(part) for part in (mask, mask, pattern, pattern)]
    price, worked, failed = search.price, 0, 0
    best = Patch(mask=np.ones(x.shape[2:]), pattern=np.zeros(x.shape[1:]))
    for step in range(search.steps):
        patch = Patch(mask=_squashed(mask), pattern=low + (high - low) * _squashed(pattern))
        share, slopes = _slopes(target, x, label, patch, (low, high), price)
        if share >= _WANTED and patch.size < best.size:
            best = patch
        worked, failed = (worked + 1, 0) if share >= _WANTED else (0, failed + 1)
        if worked == _PATIENCE or failed == _PATIENCE:
            price, worked, failed = price * _FACTOR if worked else price / _FACTOR, 0, 0
        mask, pattern = (
            mask - _adam(moments[:2], slopes[0], step, search),
            pattern - _adam(moments[2:], slopes[1], step, search),
        )
    return best


def _slopes(
    target: Target, x: Rows, label: int, patch: Patch, ends: tuple[float, float], price: float
) -> tuple[float, tuple[Rows, Rows]]:
    """The share of pictures sent to the label, and the slopes of the loss by the raw mask and the raw pattern."""
    seen: list[Rows] = []

    def pull(scores: Any) -> Any:
        seen.append(np.asarray(scores))
        return climb("ce", scores, np.full(len(x), label), Aim(kind=target.kind, goal=label, even=False))[1]

    _, slope = target.gradient(patch.on(x), pull)
    share = float(np.mean(np.asarray(decide(seen[0], target.kind)) == label))
    pull_mask = -(slope * (patch.pattern - x)).sum(axis=(0, 1)) / len(x) + price
    pull_pattern = -(slope * patch.mask).sum(axis=0) / len(x)
    span = ends[1] - ends[0]
    bend = (patch.pattern - ends[0]) / span
    return share, (pull_mask * patch.mask * (1.0 - patch.mask), pull_pattern * span * bend * (1.0 - bend))


def _adam(moments: list[Rows], slope: Rows, step: int, search: Search) -> Rows:
    """The move of Adam; the two moments are kept in place."""
    first, second = moments
    first += (1.0 - _FIRST) * (slope - first)
    second += (1.0 - _DECAY) * (slope * slope - second)
    level = first / (1.0 - _FIRST ** (step + 1))
    spread = np.sqrt(second / (1.0 - _DECAY ** (step + 1)))
    return np.asarray(search.rate * level / (spread + _TINY))


def _squashed(raw: Rows) -> Rows:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(raw, -40.0, 40.0))))


def patchable(kind: ScoreKind, x: Any) -> bool:
    """Whether there are pictures (n, c, h, w) and classes to send them to."""
    return kind is not ScoreKind.VALUE and np.ndim(x) == 4
