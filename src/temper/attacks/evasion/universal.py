"""One perturbation for every row of a class, or for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._nearest import Ground, Rows, finish, plain, pulled
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.lp import project
from temper.kernels.slope import climb
from temper.kernels.step import steepest


@dataclass(frozen=True, slots=True, kw_only=True)
class Universal:
    """Fit one perturbation within the radius (per true class, or a single one) on a share of the rows by steepest
    descent on their leads, those already lost left out, and put it on every row.

    Misleads as a rate of the one perturbation: a row also counts when one on the way broke it; "universal" and "fitted"
    are noted per row, and what the last one does to rows it was not fitted on is the figure to read.
    Source: Moosavi-Dezfooli et al., "Universal adversarial perturbations", 2017; Shafahi et al., "Universal adversarial
    training", 2020.

    >>> Universal(per_class=False).fitted
    0.5
    """

    needs: ClassVar[Access] = Access.GRADIENTS | Access.SCORES
    steps: int = 100
    fitted: float = 0.5
    per_class: bool = True
    step_size: float = 0.1
    enough: float = 5.0

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient per fitted row and step, one query per row at the end."""
        ground = Ground.of(scene, "evasion.universal", fix="use evasion.transfer")
        radius, norm = scene.budget.radius, scene.budget.norm
        if radius is None or norm not in ("linf", "l2", "l1"):
            raise Unsupported("evasion.universal needs a radius in linf, l2 or l1", fix="give the budget one")
        group = plain(ground.y) if self.per_class else np.zeros(len(scene.x), dtype=np.int64)
        chosen = self._chosen(rng, group)
        move = self._first(ground, rng, group, radius, norm)
        steps = max(min(self.steps, int(oracle.left.max(initial=0)) - 1), 0)
        order = np.argsort(np.asarray(scene.ids), kind="stable")  # sums do not depend on the order of the rows
        for step in range(steps):
            open_rows = np.zeros(len(scene.x), dtype=bool)
            open_rows[oracle.active] = True
            rows = order[(open_rows & chosen)[order]]
            if not len(rows):
                break
            pull = self._pull(oracle, ground, move, rows, group)
            size = self.step_size * radius * (1 - 0.9 * step / steps)
            move = {
                label: project(part + size * steepest(pull[label], norm), part * 0, radius, norm)
                if label in pull
                else part
                for label, part in move.items()
            }
        self._last(oracle, ground, move, group, chosen)
        finish(oracle, scene, steps, self.steps)

    def _chosen(self, rng: Draws, group: Rows) -> Rows:
        """Which rows the perturbation is fitted on: by their ids; all of a group where it would be none."""
        found: Rows = plain(rng.child("fitted").uniform(np.arange(len(group)), 0)) < self.fitted
        for label in np.unique(group):
            if not found[group == label].any():
                found = found | (group == label)
        return found

    def _first(self, ground: Ground, rng: Draws, group: Rows, radius: float, norm: str) -> dict[int, Array]:
        """A random corner or direction per group."""
        xp, x = ground.xp, ground.scene.x
        found = {}
        for label in np.unique(group).tolist():
            draw = rng.generator(label).normal(size=(1, *x.shape[1:]))
            start = xp.astype(xp.asarray(draw, device=x.device), x.dtype)
            found[label] = project(radius * steepest(start, norm), start * 0, radius, norm)
        return found

    def _pull(
        self, oracle: OracleLike, ground: Ground, move: dict[int, Array], rows: Rows, group: Rows
    ) -> dict[int, Array]:
        """The mean way down per group, over the rows whose lead is not lost yet."""
        xp = ground.xp

        def cotangent(scores: Array, part: Any) -> Array:
            loss, pull = climb("margin", scores, ground.y[part], ground.aim)
            return xp.where((loss < self.enough)[:, None], pull, xp.zeros_like(pull))

        slope = pulled(oracle, xp, _moved(ground, move, rows, group), rows, cotangent)[1]
        found = {}
        for label in np.unique(group[rows]).tolist():
            found[label] = xp.mean(slope[np.flatnonzero(group[rows] == label)], axis=0, keepdims=True)
        return found

    def _last(self, oracle: OracleLike, ground: Ground, move: dict[int, Array], group: Rows, chosen: Rows) -> None:
        """The finished perturbation on every row that is still open."""
        rows = oracle.active
        if len(rows):
            scores = oracle.scores(_moved(ground, move, rows, group), rows)
            oracle.note("universal", rows, plain(ground.lead(scores, rows) < 0) * 1.0)
            oracle.note("fitted", rows, chosen[rows] * 1.0)


def _moved(ground: Ground, move: dict[int, Array], rows: Rows, group: Rows) -> Array:
    """The rows with the perturbation of their group, in the box."""
    labels, place = np.unique(group[rows], return_inverse=True)
    stacked = ground.xp.concat([move[label] for label in labels.tolist()])
    clean = ground.scene.x[rows]
    return ground.inside(clean + stacked[place], clean)


PLUGIN = Universal
