"""Square: random search at the corners of what is allowed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from temper.attacks.evasion._corners import TableMoves
from temper.attacks.evasion._windows import BumpMoves, StripeMoves
from temper.core.attack import OracleLike, Scene
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.decision import Aim, Rows, asked, standing

_MARKS = (10, 50, 200, 500, 1_000, 2_000, 4_000, 6_000, 8_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """Move a shrinking random share of the input to the ends of its allowed range and keep what lowers the margin:
    square windows on images, columns and categories on tables.

    Misleads where the score is flat around a row (labels only, saturated): it then walks at random.
    Source: Andriushchenko, Croce, Flammarion & Hein, "Square Attack", 2020; its rule for l1 and tables is our own.

    >>> Square(steps=300).first_share
    0.8
    """

    needs: ClassVar[Access] = Access.SCORES
    mode: ClassVar[str] = "first"
    steps: int = 5_000
    restarts: int = 1
    first_share: float = 0.8

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One candidate per active row and step, all rows together."""
        moves = _moves(scene, rng)
        aim = Aim.at(oracle, scene)
        planned = np.minimum(oracle.left // max(self.restarts, 1), self.steps)  # a whole schedule for every start
        for turn in range(self.restarts):
            if not len(standing(oracle, scene)):
                break
            self._search(oracle, aim, moves, turn, planned)
        oracle.done(np.arange(len(scene.x)))

    def _search(
        self, oracle: OracleLike, aim: Aim, moves: TableMoves | StripeMoves | BumpMoves, turn: int, planned: Rows
    ) -> None:
        """From a fresh start, until the row is broken or its planned steps are over."""
        rows, everyone = np.arange(len(planned)), np.zeros(len(planned), dtype=bool)
        current, level = aim.scene.x, aim.first()
        for step in range(self.steps):
            going = everyone.copy()
            going[standing(oracle, aim.scene)] = True
            going = (going & (planned > step))[rows]
            if not going.all():
                rows, current, level = rows[going], current[going], level[going]
            if not len(rows):
                return
            at = turn * self.steps + step
            x = moves.move(rows, at, self._share(step, planned[rows]), current) if step else moves.start(rows, at)
            now = asked(oracle, aim, x, rows)
            better = (now <= level) | (step == 0)
            if better.all():
                current, level = x, now
            elif better.any():
                current[better], level[better] = x[better], now[better]

    def _share(self, step: int, planned: Rows) -> Rows:
        """The published schedule, scaled to the length of each row's search."""
        at = np.floor(step * 10_000 / np.maximum(planned, 1))
        halvings = np.searchsorted(_MARKS, at, side="left")
        share: Rows = self.first_share / 2.0**halvings
        return share


def _moves(scene: Scene, rng: Draws) -> TableMoves | StripeMoves | BumpMoves:
    """The moves that suit the input and the norm."""
    if scene.schema.columns:
        return TableMoves.on(scene, rng)
    norm = scene.budget.norm
    if norm == "linf":
        if scene.budget.radius is None and not np.isfinite([scene.schema.low, scene.schema.high]).all():
            raise Unsupported("Square moves values to the ends of their range, and there is none", fix="give a radius")
        return StripeMoves.on(scene, rng)
    if norm not in ("l2", "l1") or scene.budget.radius is None:
        raise Unsupported(f"Square has no ball in {norm} without a radius", fix="give a radius in linf, l2 or l1")
    return BumpMoves.on(scene, replace(rng, like=scene.x))


PLUGIN = Square
