"""Many rows just under the edge: as much of the loot as passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.technique._asking import level, sent
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.campaign import Aim, Field, Tactic
from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.kernels.search import reachable, repair

Rows = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bunch:
    """Halve, for every wanted row, the way of one column (the objective's `amount`, else the one that may move
    furthest) between its lowest value within reach and its own, on rows that are only asked about; then submit the
    highest that passed, a little below the edge. Rows whose lowest value is stopped are left alone after one question.

    Where scores are told, the edge is kept as `threshold`. Misleads where the edge depends on other columns more than
    on this one: then nearly every row is stopped at its lowest. Leaves what `monitoring.security.bunching` looks for.
    Source: Saez, "Do taxpayers bunch at kink points?", 2010 (what it looks like); bisection as in Lowd & Meek,
    "Adversarial learning", 2005.

    >>> Bunch(halvings=3).margin
    0.0
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.MOVE,)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("threshold",)
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0043.001", "atlas:AML.T0015")
    halvings: int = 4
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.halvings < 0 or not 0.0 <= self.margin < 1.0:
            raise TemperError(f"{self} cannot be meant", fix="halvings from 0, margin a share below 1")

    def play(self, field: Field, rng: Draws) -> None:
        """As many open rows as this turn pays for: a question at the low end, `halvings` more, and the attempt."""
        at = _column(field)
        if at is None:
            return
        rows = rng.generator(field.left).permutation(field.open)[: max(1, field.left // (self.halvings + 2))]
        scene = _scene(field)
        low, _ = reachable(scene.schema, scene.x, scene.budget)
        passing, stopped = low[rows, at], scene.x[rows, at]
        asked = _Asked(field=field, scene=scene, at=at)
        rows, passing, stopped = _only(asked.passes(rows, passing), rows, passing, stopped)
        for _ in range(self.halvings):
            middle = (passing + stopped) / 2
            through = asked.passes(rows, middle)
            passing, stopped = np.where(through, middle, passing), np.where(through, stopped, middle)
        asked.keep()
        if len(rows) and field.left > 0:
            below = passing - self.margin * (passing - low[rows, at])
            sent(field, asked.points(rows, below), rows)


@dataclass(slots=True, kw_only=True)
class _Asked:
    """Questions about rows with one column set, and what was told of them."""

    field: Field
    scene: Scene
    at: int
    told: list[tuple[Array, Array]] | None = None

    def points(self, rows: Array, values: Array) -> Array:
        """The rows with these values, and all that follows from them."""
        x0 = self.scene.x[rows]
        x, first = x0.copy(), np.zeros_like(x0)
        x[:, self.at], first[:, self.at] = values, 1.0
        return repair(x, x0, self.scene, first)

    def passes(self, rows: Array, values: Array) -> Array:
        """Which are answered and not flagged."""
        reply = sent(self.field, self.points(rows, values))
        self.told = [*(self.told or []), (reply.scores, reply.flagged & ~reply.held)]
        through: Array = reply.answered & ~reply.flagged
        return through

    def keep(self) -> None:
        """The threshold, as far as scores on both sides of it were told."""
        scores, flagged = (np.concatenate([one[part] for one in self.told or []]) for part in (0, 1))
        seen = flagged[~np.isnan(scores)]
        if "threshold" not in self.field.kept and seen.any() and not seen.all():
            self.field.kept["threshold"] = level(scores, flagged)


def _column(field: Field) -> int | None:
    """The column to move: the loot itself, else the number that may move furthest for its price."""
    schema, amount = field.schema, field.objective.amount
    movable = [int(at) for at in schema.movable if not schema.categorical[at]]
    if amount and schema.names.index(amount) in movable:
        return schema.names.index(amount)
    return max(movable, key=lambda at: -schema.prices[at], default=None)


def _scene(field: Field) -> Scene:
    x, most = np.asarray(field.wanted.x, dtype=float), min(field.attacker.change, field.money)
    budget = Budget(norm="cost", cost=None if np.isinf(most) else max(most, 0.0))
    return Scene(x=x, y=np.ones(len(x)), ids=np.arange(len(x)), schema=field.schema, budget=budget)


def _only(kept: Array, *of: Array) -> tuple[Array, ...]:
    return tuple(one[kept] for one in of)


PLUGIN = Bunch
