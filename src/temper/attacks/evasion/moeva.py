"""MOEVA: a genetic search of each row's own population under the constraints of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.evasion._walk import directions
from temper.core.attack import OracleLike, Scene
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.decision import CHUNK, Aim, Rows, asked, standing
from temper.kernels.search import random_point, reachable, repair

_END, _FRESH = 0.35, 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class MOEVA:
    """Breed a population per row by crossover and mutation, repair every child through the schema, and let live what no
    other beats in margin, distance and constraints at once; all rows in lock-step.

    Misleads under a small query budget: a population learns slowly where one point could climb.
    Source: Simonetto, Dyrmishi, Ghamizi, Cordy & Le Traon, "A unified framework for adversarial attack and defense in
    constrained feature space", 2022; survival by number of rivals that are better in everything is our own.

    >>> MOEVA(generations=10).population
    12
    """

    needs: ClassVar[Access] = Access.SCORES
    mode: ClassVar[str] = "first"
    generations: int = 400
    population: int = 12
    children: int = 12

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """A first population in the ball, then generation after generation for the rows that are left."""
        if not scene.schema.columns:
            raise Unsupported("MOEVA breeds columns; this input is an array", fix="use evasion.square")
        pool = _Pool.first(oracle, scene, rng, self)
        for turn in range(1, self.generations + 1):
            rows = standing(oracle, scene)
            if not len(rows):
                break
            size = max(CHUNK // self.children, 1)
            for start in range(0, len(rows), size):
                pool.breed(rows[start : start + size], turn)
        oracle.done(np.arange(len(scene.x)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pool:
    """Populations (n, size, d) of all rows, with margin, distance and whether the schema refuses them."""

    oracle: OracleLike
    scene: Scene
    aim: Aim
    rng: Draws
    plan: MOEVA
    low: Rows
    high: Rows
    x: Rows
    fitness: Rows

    @classmethod
    def first(cls, oracle: OracleLike, scene: Scene, rng: Draws, plan: MOEVA) -> _Pool:
        """The clean row and random points of the ball."""
        reference = scene.reference.x if scene.reference is not None else None
        low, high = reachable(scene.schema, scene.x, scene.budget, reference)
        x = np.repeat(scene.x[:, None], plan.population, axis=1)
        aim = Aim.at(oracle, scene)
        fitness = np.full((*x.shape[:2], 3), np.inf)
        fitness[:, 0] = np.stack([aim.first(), np.zeros(len(x)), np.zeros(len(x))], axis=1)
        pool = cls(oracle=oracle, scene=scene, aim=aim, rng=rng, plan=plan, low=low, high=high, x=x, fitness=fitness)
        rows = standing(oracle, scene)
        if len(rows) and plan.population > 1:
            many = np.repeat(rows, plan.population - 1)
            step = np.tile(np.arange(1, plan.population), len(rows))
            drawn = random_point(scene, many, rng.child("first"), step, low, high)
            shape = (len(rows), plan.population - 1)
            pool.x[rows, 1:] = drawn.reshape((*shape, -1))
            pool.fitness[rows, 1:] = pool.judged(drawn, many).reshape((*shape, 3))
        return pool

    def breed(self, rows: Rows, turn: int) -> None:
        """Children of random pairs; parents and children compete for the places."""
        count, width = self.plan.children, self.x.shape[2]
        unit = directions(self.rng, rows, turn, count, 5 * width + 5, "unit", self.x)
        child = self._crossed(rows, unit[:, :, :width], unit[:, :, -5:])
        child = self._mutated(rows, child, unit)
        many = np.repeat(rows, count)
        flat = child.reshape((len(many), width))
        priority = unit[:, :, 4 * width : 5 * width].reshape(flat.shape)
        flat = repair(flat, self.scene.x[many], self.scene, priority)
        born = self.judged(flat, many).reshape((len(rows), count, 3))
        x = np.concatenate([self.x[rows], flat.reshape(child.shape)], axis=1)
        fitness = np.concatenate([self.fitness[rows], born], axis=1)
        best = _survivors(fitness, self.plan.population)
        self.x[rows] = np.take_along_axis(x, best[:, :, None], axis=1)
        self.fitness[rows] = np.take_along_axis(fitness, best[:, :, None], axis=1)

    def judged(self, x: Rows, rows: Rows) -> Rows:
        """Margin, distance and refusal (n, 3), all to be small."""
        x0, schema = self.scene.x[rows], self.scene.schema
        margin = asked(self.oracle, self.aim, x, rows)
        refused = ~np.asarray(schema.admits(x, x0)) if schema.relations else np.zeros(len(x), dtype=bool)
        return np.stack([margin, np.asarray(schema.distance(x, x0, self.scene.budget.norm)), refused], axis=1)

    def _crossed(self, rows: Rows, genes: Rows, pick: Rows) -> Rows:
        """Each child takes every column from one of two parents; the better of two candidates becomes a parent."""
        size = self.plan.population
        place = (pick[:, :, :4] * size).astype(int)
        # Survivors stand in order of fitness, so the smaller place is the better one.
        one, two = place[:, :, :2].min(axis=2), place[:, :, 2:].min(axis=2)
        from_one = genes < 0.5
        for group in self.scene.schema.groups:
            from_one[:, :, group] = from_one[:, :, group[:1]]
        pool = self.x[rows]
        first = np.take_along_axis(pool, one[:, :, None], axis=1)
        child: Rows = np.where(from_one, first, np.take_along_axis(pool, two[:, :, None], axis=1))
        return child

    def _mutated(self, rows: Rows, child: Rows, unit: Rows) -> Rows:
        """A few columns move: to an end of their reach, anywhere, or nearby; a category to any other."""
        width, schema = child.shape[2], self.scene.schema
        which, how, value = (unit[:, :, at * width : (at + 1) * width] for at in (1, 2, 3))
        # One to a quarter of the columns, few more often than many.
        share = np.maximum(unit[:, :, -1:] ** 2 * 0.25, 1.0 / max(len(schema.movable), 1))
        chosen = np.zeros(child.shape, dtype=bool)
        chosen[:, :, schema.movable] = which[:, :, schema.movable] < share
        low, high = self.low[rows][:, None], self.high[rows][:, None]
        near = child + (high - low) * (value - 0.5) ** 3
        end = np.where(value < 0.5, low, high)
        fresh = np.where(how < _END, end, np.where(how < _FRESH, low + (high - low) * value, near))
        codes = np.where(schema.categorical, schema.highs + 1.0, 1.0)
        fresh = np.where(schema.categorical, np.floor(value * codes), fresh)
        for group in schema.groups:
            fresh[:, :, group] = np.eye(len(group))[(value[:, :, group[0]] * len(group)).astype(int)]
            chosen[:, :, group] = np.any(chosen[:, :, group], axis=2, keepdims=True)
        return np.where(chosen, fresh, child)


def _survivors(fitness: Rows, size: int) -> Rows:
    """Places (n, size) of those with the fewest rivals that are better in everything, the lower margin first."""
    one, two = fitness[:, :, None], fitness[:, None]
    beaten = np.all(two <= one, axis=3) & np.any(two < one, axis=3)
    rivals = beaten.sum(axis=2)
    order: Rows = np.lexsort((fitness[:, :, 0], rivals), axis=1)
    return order[:, :size]


PLUGIN = MOEVA
