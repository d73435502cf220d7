"""Evasion attacks, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.search import random_point, reachable
from temper.testing import attack

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Random admissible points, like the noise baseline."""

    needs: ClassVar[Access] = Access.SCORES

    def run(self, oracle: Any, scene: Any, rng: Draws) -> None:
        low, high = reachable(scene.schema, scene.x, scene.budget)
        for step in range(60):
            rows = oracle.active
            if not len(rows):
                break
            self.ask(oracle, scene, rows, self.points(oracle, scene, rows, rng, step, low, high))
        oracle.done(np.arange(len(scene.x)))

    def ask(self, oracle: Any, scene: Any, rows: Any, x: Any) -> None:
        oracle.scores(x, rows)

    def points(self, oracle: Any, scene: Any, rows: Any, rng: Draws, step: int, low: Any, high: Any) -> Any:
        return random_point(scene, rows, rng, step, low, high)


class Restless(Honest):
    """Counts its runs, and starts elsewhere each time."""

    def points(self, oracle: Any, scene: Any, rows: Any, rng: Draws, step: int, low: Any, high: Any) -> Any:
        return random_point(scene, rows, rng, 1_000 * next(CALLS) + step, low, high)


class Deaf(Honest):
    """Has a seed of its own."""

    def points(self, oracle: Any, scene: Any, rows: Any, rng: Draws, step: int, low: Any, high: Any) -> Any:
        return random_point(scene, rows, Draws(0, "deaf", scene.ids), step, low, high)


class ByPlace(Honest):
    """Keys its numbers by the place of a row, not by its id."""

    def points(self, oracle: Any, scene: Any, rows: Any, rng: Draws, step: int, low: Any, high: Any) -> Any:
        return random_point(scene, rows, Draws(rng.seed, rng.name), step, low, high)


class Herd(Honest):
    """Takes another step when more rows are about."""

    def points(self, oracle: Any, scene: Any, rows: Any, rng: Draws, step: int, low: Any, high: Any) -> Any:
        return random_point(scene, rows, rng, 100 * len(scene.x) + step, low, high)


class Scribbles(Honest):
    """Moves the clean rows themselves."""

    def ask(self, oracle: Any, scene: Any, rows: Any, x: Any) -> None:
        scene.x[rows] = x
        oracle.scores(x, rows)


class Forges(Honest):
    """Writes its success into the oracle's books, and switches the second look off."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> None:
        far = scene.x.copy()
        far.reshape((len(far), -1))[:, 0] += np.where(scene.y == 1, -50.0, 50.0)
        oracle._best[:] = far
        oracle._broken_at[:] = 1
        oracle._distance[:] = 0.1
        oracle._recheck = lambda: None


class Peeks(Honest):
    """Says that labels are enough, and reads scores."""

    needs: ClassVar[Access] = Access.LABELS


class Sneaks(Honest):
    """Asks the target behind the oracle's back."""

    def ask(self, oracle: Any, scene: Any, rows: Any, x: Any) -> None:
        if scene.target is not None:
            scene.target.scores(x)
        oracle.scores(x, rows)


class Spins(Honest):
    """Waits for rows that never come when there is nothing to spend."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> None:
        while len(oracle.active) == 0:
            pass
        Honest.run(self, oracle, scene, rng)


class Divides(Honest):
    """Crashes when there is nothing to spend."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> None:
        _ = 1 // int(oracle.left.max())
        Honest.run(self, oracle, scene, rng)


class Idle(Honest):
    """Asks about the clean rows, over and over."""

    def points(self, oracle: Any, scene: Any, rows: Any, rng: Draws, step: int, low: Any, high: Any) -> Any:
        return scene.x[rows].copy()


class Timid(Honest):
    """Hardly moves."""

    def points(self, oracle: Any, scene: Any, rows: Any, rng: Draws, step: int, low: Any, high: Any) -> Any:
        x0 = scene.x[rows]
        near = x0 + 0.02 * (random_point(scene, rows, rng, step, low, high) - x0)
        return scene.schema.project(near, x0)


INNOCENT = Honest
BITES = {
    attack.law_same_seed_asks_the_same_points: (Restless,),
    attack.law_other_seed_asks_other_points: (Deaf,),
    attack.law_order_of_rows_does_not_matter: (ByPlace,),
    attack.law_a_row_does_not_depend_on_the_others: (Herd, ByPlace),
    attack.law_leaves_inputs_alone: (Scribbles,),
    attack.law_what_counts_lies_in_domain_and_ball: (Forges,),
    attack.law_asks_only_what_it_needs: (Peeks, Sneaks),
    attack.law_ends_cleanly_at_every_budget: (Spins, Divides),
    attack.law_no_room_breaks_nothing: (Forges,),
    attack.law_breaks_the_breakable: (Idle,),
    attack.law_never_breaks_the_constant: (Forges,),
    attack.law_is_at_least_as_strong_as_noise: (Timid, Idle),
}
