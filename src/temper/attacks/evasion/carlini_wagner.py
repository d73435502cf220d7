"""Carlini & Wagner's attack: distance and lead in one objective, weighed anew until the weight is as small as works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._nearest import Ground, Rows, fall, finish, length, plain, tall
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class CarliniWagner:
    """Minimise squared distance plus a weight times the lead by Adam in tanh space, and search the weight of each row
    by bisection: nearest in l2.

    Misleads when short of queries: it wants thousands per row, and a small budget leaves it a few searches only.
    Source: Carlini & Wagner, "Towards evaluating the robustness of neural networks", 2017.

    >>> CarliniWagner(searches=3, steps=100).rate
    0.01
    """

    needs: ClassVar[Access] = Access.GRADIENTS | Access.SCORES
    searches: int = 9
    steps: int = 1_000
    rate: float = 0.01
    weight: float = 1e-3
    confidence: float = 0.0

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient per row and step; a row whose objective has stalled waits for the next weight."""
        ground = Ground.of(scene, "evasion.carlini_wagner")
        if not np.isfinite(scene.schema.high - scene.schema.low):
            raise Unsupported(
                "evasion.carlini_wagner needs a finite box", fix="use evasion.ddn, or Schema.box(low, high)"
            )
        left = int(oracle.left.max(initial=0))
        searches = max(min(self.searches, left // 20), 1)
        steps = min(self.steps, left // searches)
        weight = np.full(len(scene.x), self.weight if searches > 3 else 1.0)
        low, high = np.zeros(len(weight)), np.full(len(weight), np.inf)
        for _ in range(searches):
            rows = oracle.active
            if not len(rows) or not steps:
                return
            fell = self._descend(oracle, ground, rows, weight, steps)
            high, low = np.where(fell, weight, high), np.where(fell, low, weight)
            weight = np.where(np.isinf(high), weight * 10, (low + high) / 2)
        finish(oracle, scene, searches * steps, self.searches * self.steps)

    def _descend(self, oracle: OracleLike, ground: Ground, rows: Rows, weight: Rows, steps: int) -> Rows:
        """One run of Adam under a fixed weight per row; True where it broke the row."""
        xp, fell = ground.xp, np.zeros(len(weight), dtype=bool)
        seen = np.full(len(weight), np.inf)
        state = _Adam.start(ground, rows)
        for step in range(steps):
            x, bend = state.point(xp)
            level, slope = fall(oracle, ground, x, rows)
            fell[rows[plain(level < -self.confidence)]] = True
            push = xp.astype(xp.asarray(weight[rows], device=x.device), x.dtype)
            gap, gone = level + self.confidence, (x - state.clean) / ground.width
            held = push * xp.astype(gap > 0, x.dtype)
            state.move(
                xp, bend * (tall(held, x) * slope + 2 * gone / ground.width), max(self.rate, 1 / steps), step + 1
            )
            kept = np.isin(rows, oracle.active)
            if step % max(steps // 10, 1) == 0:
                worth = plain(held * xp.astype(gap, x.dtype) + length(xp, gone, "l2") ** 2)
                kept &= ~(worth > 0.999 * seen[rows])
                seen[rows] = worth
            if not kept.all():
                rows, state = rows[kept], state.part(kept)
            if not len(rows):
                break
        return fell


@dataclass(slots=True)
class _Adam:
    """Variables in tanh space between the ends each value may take, with their two moments."""

    centre: Array
    half: Array
    clean: Array
    w: Array
    mean: Array
    spread: Array

    @classmethod
    def start(cls, ground: Ground, rows: Rows) -> _Adam:
        xp, x0 = ground.xp, ground.scene.x[rows]
        low, high = ground.ends(x0)
        centre, half = (low + high) / 2, (high - low) / 2
        at = (x0 - centre) / xp.where(half > 0, half, xp.ones_like(half)) * 0.999
        zero = xp.zeros_like(x0)
        return cls(centre, half, x0, xp.atanh(at), zero, zero)

    def point(self, xp: Any) -> tuple[Array, Array]:
        """The point, and d point / d variable."""
        bent = xp.tanh(self.w)
        return bent * self.half + self.centre, self.half * (1 - bent * bent)

    def move(self, xp: Any, pull: Array, rate: float, step: int) -> None:
        """One step of Adam."""
        self.mean = 0.9 * self.mean + 0.1 * pull
        self.spread = 0.999 * self.spread + 0.001 * pull * pull
        size = xp.sqrt(self.spread / (1 - 0.999**step)) + 1e-8
        self.w = self.w - rate * (self.mean / (1 - 0.9**step)) / size

    def part(self, kept: Rows) -> _Adam:
        """Some of the rows."""
        return _Adam(*(getattr(self, name)[kept] for name in ("centre", "half", "clean", "w", "mean", "spread")))


PLUGIN = CarliniWagner
