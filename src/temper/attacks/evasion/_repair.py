"""Candidates that keep every rule of a table: whole numbers inside the ball, and relations no simple repair mends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.attack import Scene
from temper.core.expression import parse, parse_relation
from temper.core.schema import Schema
from temper.kernels.decision import Rows
from temper.kernels.search import reachable, repair

_SHARES = (0.5, 0.25, 0.0)
_SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mender:
    """The reach of every column with whole ends where only whole numbers are valid, and the columns relations read."""

    scene: Scene
    low: Rows
    high: Rows
    tied: Rows

    @classmethod
    def of(cls, scene: Scene) -> Mender:
        """Rounding a count to the nearest could leave the ball, so its ends are rounded inwards."""
        schema = scene.schema
        reference = scene.reference.x if scene.reference is not None else None
        low, high = reachable(schema, scene.x, scene.budget, reference)
        whole = _whole(schema) & ~schema.categorical
        low, high = np.where(whole, np.ceil(low - 1e-9), low), np.where(whole, np.floor(high + 1e-9), high)
        return cls(scene=scene, low=low, high=high, tied=_tied(schema))

    def mend(self, x: Rows, rows: Rows, priority: Rows) -> Rows:
        """Repaired points; where a relation is still broken, or mended out of the ball, the columns relations
        read go back toward the clean row.
        """
        schema, x0 = self.scene.schema, self.scene.x[rows]
        # An immutable column keeps what the clean row says, even where that lies beyond a whole end.
        inside = np.where(schema.categorical | np.isnan(x), x, np.clip(x, self.low[rows], self.high[rows]))
        x = repair(inside, x0, self.scene, priority)
        if not len(self.tied):
            return x
        for share in _SHARES:
            bad = np.flatnonzero(~np.asarray(schema.admits(x, x0)) | self._beyond(x, x0))
            if not len(bad):
                break
            part = x[bad]
            back = x0[bad][:, self.tied]
            way = (part[:, self.tied] - back) * share
            # Rounded toward the clean row: to the nearest would be outwards half of the time.
            part[:, self.tied] = back + np.where(_whole(schema)[self.tied], np.trunc(way), way)
            x[bad] = schema.project(part, x0[bad])
        return x

    def _beyond(self, x: Rows, x0: Rows) -> Rows:
        """Out of radius or cost: a relation the clean row breaks already can pull a column far away."""
        schema, budget = self.scene.schema, self.scene.budget
        out = np.zeros(len(x), dtype=bool)
        if budget.radius is not None:
            out |= np.asarray(schema.distance(x, x0, budget.norm)) > budget.radius * (1 + _SLACK) + _SLACK
        if budget.cost is not None:
            out |= np.asarray(schema.cost(x, x0)) > budget.cost * (1 + _SLACK) + _SLACK
        return out


def _whole(schema: Schema) -> Rows:
    return np.array([column.discrete for column in schema.columns])


def _tied(schema: Schema) -> Rows:
    """Movable columns that some relation reads, itself or through derived columns."""
    read: set[str] = set()
    for text in schema.relations:
        relation = parse_relation(text)
        read |= relation.left.names | relation.right.names
    formulas = {column.name: parse(column.formula).names for column in schema.columns if column.formula}
    while more := set().union(*(formulas[name] for name in read if name in formulas)) - read:
        read |= more
    return np.array([at for at in schema.movable if schema.names[at] in read], dtype=np.int64)
