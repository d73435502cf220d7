"""A table's domain as gradient steps see it: latent points in the ball, repaired points, slopes through formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.attack import Scene
from temper.kernels.decision import Rows
from temper.kernels.lp import project
from temper.kernels.search import reachable, repair

_NUDGE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """Latent points move by steps in units of `unit`, in the box of "linf" with their fractions; what is asked is their
    repair.

    `shape` is the ball that steps are measured in: "linf", "l2" or "l1" (cost counts as l1, l0 has no slope and is left
    to the repair). Where the budget has no radius, `radius` is one and `unit` half of what a column can reach.
    """

    scene: Scene
    low: Rows
    high: Rows
    unit: Rows
    shape: str
    radius: float

    @classmethod
    def of(cls, scene: Scene) -> Plane:
        """The ball of the radius, or of the cost where nothing else bounds the change."""
        schema, budget = scene.schema, scene.budget
        reference = scene.reference.x if scene.reference is not None else None
        low, high = reachable(schema, scene.x, budget, reference)
        movable = np.isin(np.arange(len(schema.columns)), schema.movable) & ~np.isnan(low) & ~np.isnan(high)
        half = np.where(movable, np.maximum(high - low, 0.0) / 2.0, 0.0)
        shape, radius = {"l1": "l1", "l2": "l2", "linf": "linf"}.get(budget.norm, "l1"), budget.radius
        priced = budget.norm == "cost" or (radius is None and budget.cost is not None)
        if priced:
            shape, radius = "l1", _least(radius, budget.cost)
        if radius is None or budget.norm == "l0" or (priced and not schema.prices[schema.movable].any()):
            unit, shape, radius = half, "linf", 1.0
        else:
            price = np.maximum(schema.prices, _floor(schema.prices[schema.movable])) if priced else 1.0
            unit = np.where(movable, schema.scales / price, 0.0)
        return cls(
            scene=scene,
            low=low,
            high=high,
            unit=unit,
            shape=shape,
            radius=float(radius),
        )

    def inside(self, latent: Rows, rows: Rows) -> Rows:
        """Into the box of reach, then into the ball."""
        x0, unit = self.scene.x[rows], self.unit[rows]
        fixed = (unit == 0) | np.isnan(latent)
        latent = np.where(fixed, x0, np.clip(latent, self.low[rows], self.high[rows]))
        if self.shape == "linf":
            return latent
        scaled = np.where(fixed, 0.0, (latent - x0) / np.where(unit == 0, 1.0, unit))
        back: Rows = x0 + project(scaled, np.zeros_like(scaled), self.radius, self.shape) * unit
        return np.where(fixed, x0, back)

    def toward(self, slope: Rows, rows: Rows) -> Rows:
        """A step as long as the radius, in the columns' own values."""
        unit = self.unit[rows] * self.radius
        if self.shape == "linf":
            return np.sign(slope) * unit
        scaled = slope * unit
        size = np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
        return scaled / np.where(size > 0, size, 1.0) * unit

    def repaired(self, latent: Rows, rows: Rows, slope: Rows) -> Rows:
        """An admissible point in the ball; where not all moves can be paid, those stay that promise most."""
        worth = np.abs(np.nan_to_num(slope * (latent - self.scene.x[rows])))
        mended: Rows = repair(latent, self.scene.x[rows], self.scene, worth)
        return mended

    def kept(self, latent: Rows, x: Rows) -> Rows:
        """Where the next step goes on: from the latent point, whose fractions add up; where the columns share
        one budget, what repair took away would be paid for and never be had, so from the point that was asked.
        """
        return latent if self.shape == "linf" else x

    def through(self, slope: Rows, x: Rows, rows: Rows) -> Rows:
        """The slope with respect to what the attacker sets: what derived columns pass on is added to their inputs."""
        slope = np.nan_to_num(slope, nan=0.0, posinf=0.0, neginf=0.0)
        schema, x0 = self.scene.schema, self.scene.x[rows]
        now, before = ({name: z[:, at] for at, name in enumerate(schema.names)} for z in (x, x0))
        for name, formula in reversed(schema.formulas):  # what reads a derived column has passed its own slope on
            passed, here = slope[:, schema.index(name)], formula.value(now, before)
            for read in formula.names:
                at = schema.index(read)
                nudge = 1.0 if schema.columns[at].discrete else _NUDGE * schema.scales[at]
                rise = (formula.value(now | {read: now[read] + nudge}, before) - here) / nudge
                slope[:, at] += passed * np.nan_to_num(rise, posinf=0.0, neginf=0.0)
        return slope


def _least(one: float | None, two: float | None) -> float | None:
    given = [value for value in (one, two) if value is not None]
    return min(given) if given else None


def _floor(prices: Rows) -> float:
    """A free column counts as a cheap one, else it would be infinitely long in units of price."""
    return 0.1 * float(prices.max(initial=0.0)) or 1.0
