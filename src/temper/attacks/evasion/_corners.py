"""Moves of a random search on a table: columns to an end of their allowed range, mostly, or to another category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.attacks.evasion._deck import Deck
from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.kernels.search import reachable, repair

Rows = np.ndarray[Any, Any]
_BETWEEN = 0.4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableMoves:
    """Random columns to a random end of what they may reach within budget and schema, or to another category."""

    scene: Scene
    low: Rows
    high: Rows
    plain: bool
    alone: Deck
    order: Deck
    value: Deck
    priority: Deck

    @classmethod
    def on(cls, scene: Scene, rng: Draws) -> TableMoves:
        """The reach of every column; what the attacker's own rows span where nothing else bounds it."""
        reference = scene.reference.x if scene.reference is not None else None
        low, high = reachable(scene.schema, scene.x, scene.budget, reference)
        width, columns = len(scene.schema.columns), len(scene.schema.movable)
        return cls(
            scene=scene,
            low=low,
            high=high,
            plain=_plain(scene),
            alone=Deck(rng=rng, part=0, width=2),
            order=Deck(rng=rng, part=0, width=columns),
            value=Deck(rng=rng, part=1, width=width),
            priority=Deck(rng=rng, part=2, width=width),
        )

    def start(self, rows: Rows, step: int) -> Rows:
        """Every movable column at a random end."""
        x0 = self.scene.x[rows]
        chosen = np.zeros(x0.shape, dtype=bool)
        chosen[:, self.scene.schema.movable] = True
        return self._put(rows, step, chosen, x0)

    def move(self, rows: Rows, step: int, share: Rows, current: Array) -> Array:
        """A share of the movable columns, one at least, each at a random end again."""
        movable = self.scene.schema.movable
        count = np.maximum(np.round(share * len(movable)), 1).astype(int)
        if not len(movable):
            return current
        alone = count == 1
        x: Rows = np.empty_like(current)
        if alone.any():
            x[alone] = self._one(rows[alone], step, current[alone])
        if not alone.all():
            many = rows[~alone]
            priority = self.order.deal(many, step)
            chosen = np.zeros((len(many), current.shape[1]), dtype=bool)
            chosen[:, movable] = priority.argsort(axis=1).argsort(axis=1) < count[~alone, None]
            x[~alone] = self._put(many, step, chosen, current[~alone])
        return x

    def _one(self, rows: Rows, step: int, current: Rows) -> Rows:
        """One column to an end: two numbers per row are enough where nothing ties it to others."""
        movable, line = self.scene.schema.movable, np.arange(len(rows))
        drawn = self.alone.deal(rows, step)
        at = movable[(drawn[:, 0] * len(movable)).astype(int)]
        if not self.plain or self.scene.schema.categorical[movable].any():
            chosen = np.zeros(current.shape, dtype=bool)
            chosen[line, at] = True
            return self._put(rows, step, chosen, current)
        x = current.copy()
        x[line, at] = self._value(drawn[:, 1], self.low[rows, at], self.high[rows, at])
        return x

    def _value(self, unit: Rows, low: Rows, high: Rows) -> Rows:
        """An end of the range, or now and then a value between: models of steps have their own corners inside."""
        share = np.clip((unit - 0.5) / _BETWEEN + 0.5, 0.0, 1.0)
        return low + (high - low) * share

    def _put(self, rows: Rows, step: int, chosen: Rows, current: Rows) -> Rows:
        schema = self.scene.schema
        unit = self.value.deal(rows, step)
        value = self._value(unit, self.low[rows], self.high[rows])
        if (switch := schema.categorical & chosen).any():
            value = np.where(switch, _other_category(current, schema.highs, unit), value)
        for group in schema.groups:
            pick = (unit[:, group[0]] * len(group)).astype(int)
            value[:, group] = np.eye(len(group))[pick]
            chosen[:, group] = np.any(chosen[:, group], axis=1, keepdims=True)
        x = np.where(chosen, value, current)
        if self.plain:
            return x
        mended: Rows = repair(x, self.scene.x[rows], self.scene, self.priority.deal(rows, step) + chosen)
        return mended


def _other_category(current: Rows, highs: Rows, unit: Rows) -> Rows:
    """Another code than the current one, each as likely; a missing value gets any."""
    with np.errstate(invalid="ignore"):
        others = np.maximum(highs, 0.0)
        code = np.floor(unit * np.maximum(others, 1.0))
        found: Rows = np.where(np.isnan(current), code, code + (code >= current))
    return found


def _plain(scene: Scene) -> bool:
    """Whether every corner is admissible and affordable as it stands: nothing ties columns to each other."""
    schema, budget = scene.schema, scene.budget
    alone = not (schema.relations or schema.groups or any(c.formula for c in schema.columns))
    switches = schema.categorical[schema.movable].any() and (budget.radius is not None and budget.radius < 1.0)
    whole = any(c.discrete and c.type not in ("category", "boolean") for c in schema.columns if c.movable)
    return alone and not switches and not whole and budget.cost is None and budget.norm == "linf"
