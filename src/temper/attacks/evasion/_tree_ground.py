"""What trees mean for the rows of a scene: margins to raise, and what may move, how far, at what price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import Unsupported
from temper.core.expression import parse, parse_relation
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.core.trees import TreeEnsemble, TreeMargin
from temper.kernels.tree_search import Ground, Wood, ready
from temper.kernels.trees import margins, scores, value_margins

Rows = np.ndarray[Any, Any]
_POWER = {"linf": 1, "l2": 2, "l1": 1, "l0": 0, "cost": 1}
_SEEDS = 2**53


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Goal:
    """One margin with the rows (positions in the scene) it is for, and what is added to it row by row."""

    wood: Wood
    rows: Rows
    shift: Rows


@dataclass(frozen=True, eq=False)
class Goals:
    """The margins of a target's trees for the rows of a scene; each is made ready once."""

    ensemble: TreeEnsemble
    scene: Scene

    def rounds(self, rows: Rows) -> list[list[Goal]]:
        """Each row has its most promising margin in the first round, the next one in the second."""
        if self.scene.kind is ScoreKind.VALUE:
            clean = scores(self.ensemble, flat(self.scene, rows))[:, 0]
            up, down = self._shifts
            return [[Goal(wood=up, rows=rows, shift=-clean)], [Goal(wood=down, rows=rows, shift=clean)]]
        truth, rounds = np.asarray(self.scene.y)[rows], []
        for y in np.unique(truth):
            rounds.append(self._ranked(self._woods[int(y)], rows[truth == y]))
        return [[goal for turn in turns for goal in turn] for turns in zip_longest(*rounds, fillvalue=[])]

    def _ranked(self, woods: tuple[Wood, ...], rows: Rows) -> list[list[Goal]]:
        level = np.stack([wood.margin(flat(self.scene, rows)) for wood in woods], axis=1)
        order = np.argsort(-level, axis=1, kind="stable")
        turns = []
        for turn in range(len(woods)):
            chosen = [(wood, rows[order[:, turn] == k]) for k, wood in enumerate(woods)]
            turns.append([Goal(wood=w, rows=at, shift=np.zeros(len(at))) for w, at in chosen if len(at)])
        return turns

    @cached_property
    def _woods(self) -> dict[int, tuple[Wood, ...]]:
        """By truth. To reach one class among several all margins must be positive; their mean stands for them."""
        found = {}
        s = self.scene
        for y in np.unique(np.asarray(s.y)):
            each = margins(self.ensemble, s.kind, int(y), s.threshold, s.goal)
            each = each if s.goal == "misclassify" else (_mean(each),)
            found[int(y)] = tuple(ready(margin, single=_single(s)) for margin in each)
        return found

    @cached_property
    def _shifts(self) -> tuple[Wood, Wood]:
        up, down = value_margins(self.ensemble, 0.0, self.scene.tolerance)
        return ready(up, single=_single(self.scene)), ready(down, single=_single(self.scene))


def _mean(each: tuple[TreeMargin, ...]) -> TreeMargin:
    """The mean of margins over the same nodes."""
    value = np.mean([margin.value for margin in each], axis=0)
    roots = np.unique(np.concatenate([margin.root for margin in each]))
    return replace(each[0], value=value, root=roots, base=float(np.mean([margin.base for margin in each])))


def _single(scene: Scene) -> bool:
    return bool(scene.x.dtype == np.float32)


def flat(scene: Scene, rows: Any) -> Rows:
    """The rows as a matrix (n, d) in 64 bits."""
    return np.asarray(scene.x[rows], dtype=np.float64).reshape((len(rows), -1))


@dataclass(frozen=True, eq=False)
class Land:
    """The scene's Schema and budget as the searches see them; `norm` is what they save.

    Columns that feed a formula or a relation are `linked`: they are moved by trial, with what follows from them.
    """

    scene: Scene
    norm: str

    @cached_property
    def linked(self) -> Rows:
        """Movable columns that a formula or a relation names."""
        schema = self.scene.schema
        named: set[str] = set()
        for column in schema.columns:
            named |= parse(column.formula).every_name if column.formula else set()
        for relation in map(parse_relation, schema.relations):
            named |= relation.left.every_name | relation.right.every_name
        return np.array([at for at in schema.movable if schema.names[at] in named], dtype=np.int64)

    @cached_property
    def groups(self) -> tuple[Rows, ...]:
        """One-hot groups in which something can move."""
        return tuple(g for g in self.scene.schema.groups if np.isin(g, self.scene.schema.movable).any())

    @cached_property
    def free_groups(self) -> tuple[Rows, ...]:
        """Groups that no formula or relation names."""
        return tuple(g for g in self.groups if not np.isin(g, self.linked).any())

    @cached_property
    def free(self) -> Rows:
        """Columns that move one by one and that no formula or relation names."""
        schema = self.scene.schema
        grouped = np.concatenate([*schema.groups, np.empty(0, dtype=np.int64)])
        return np.setdiff1d(np.setdiff1d(schema.movable, self.linked), grouped)

    def ground(self, rows: Rows, rng: Draws, shift: Rows) -> Ground:
        """These rows, ready to be searched."""
        x0, schema = flat(self.scene, rows), self.scene.schema
        seed = rng.integers(rows, 0, _SEEDS).astype(np.uint64)
        if not schema.columns:
            return self._box(x0, seed, shift)
        low, high, missing = self._ranges(x0)
        low, high, missing = self._within_budget(x0, low, high, missing)
        price = np.asarray(schema.prices, dtype=float)
        set_here = np.array([not c.formula for c in schema.columns])
        weight = np.stack([price if self.norm == "cost" else set_here * 1.0, price])
        return Ground(
            x0=x0,
            low=low,
            high=high,
            kind=np.where(schema.categorical, 2, np.array([c.discrete for c in schema.columns]) * 1),
            missing=missing,
            mobile=np.isin(np.arange(x0.shape[1]), schema.movable),
            scale=np.asarray(schema.scales, dtype=float),
            weight=weight,
            power=(_POWER[self.norm], 1),
            limit=self.money,
            columns=self.free,
            groups=self.free_groups,
            seed=seed,
            shift=shift,
        )

    @property
    def money(self) -> float:
        """The limit on the schema's cost."""
        cost = self.scene.budget.cost
        return np.inf if cost is None else cost

    @property
    def ceiling(self) -> float:
        """The most that what is saved may come to, in the power it is summed in."""
        budget = self.scene.budget
        limits = [budget.radius] if budget.norm == self.norm and budget.radius is not None else []
        limits += [budget.cost] if self.norm == "cost" and budget.cost is not None else []
        return min(limits, default=np.inf) ** (2 if self.norm == "l2" else 1)

    def _box(self, x0: Rows, seed: Rows, shift: Rows) -> Ground:
        schema, d = self.scene.schema, x0.shape[1]
        low, high = np.full(x0.shape, schema.low), np.full(x0.shape, schema.high)
        low, high, missing = self._within_budget(x0, low, high, np.zeros(x0.shape, dtype=np.int64))
        return Ground(
            x0=x0,
            low=np.minimum(low, x0),
            high=np.maximum(high, x0),
            kind=np.zeros(d, dtype=np.int64),
            missing=missing,
            mobile=np.ones(d, dtype=bool),
            scale=np.ones(d),
            weight=np.ones((2, d)),
            power=(_POWER[self.norm], 1),
            limit=self.money,
            columns=np.arange(d),
            groups=(),
            seed=seed,
            shift=shift,
        )

    def _ranges(self, x0: Rows) -> tuple[Rows, Rows, Rows]:
        """Per row and column what the Schema allows; derived columns may come out anywhere."""
        schema: Schema = self.scene.schema
        low, high = schema.bounds(x0)
        gone = np.isnan(x0)
        fixed = ~np.isin(np.arange(x0.shape[1]), schema.movable) | np.isnan(low) | np.isnan(high)
        fixed = fixed | (np.array([c.discrete for c in schema.columns]) & (x0 != np.round(x0)) & ~gone)
        derived = np.array([bool(c.formula) for c in schema.columns])
        low = np.where(derived, -np.inf, np.where(fixed, x0, low))
        high = np.where(derived, np.inf, np.where(fixed, x0, high))
        erasable = np.array([c.missing for c in schema.columns])
        either = derived | (~fixed & (gone | erasable))
        return low, high, np.where(either, 1, np.where(gone, 2, 0))

    def _within_budget(self, x0: Rows, low: Rows, high: Rows, missing: Rows) -> tuple[Rows, Rows, Rows]:
        """Cut the ranges to what the radius (linf) and the cost leave to one column on its own."""
        schema, budget = self.scene.schema, self.scene.budget
        reach = np.full(x0.shape[1], np.inf)
        scale = schema.scales if schema.columns else np.ones(x0.shape[1])
        price = schema.prices if schema.columns else np.ones(x0.shape[1])
        if budget.norm == "linf" and budget.radius is not None:
            reach = np.minimum(reach, budget.radius)
        if self.money < np.inf:
            reach = np.minimum(reach, np.divide(self.money, price, out=np.full(len(price), np.inf), where=price > 0))
        if not schema.columns:
            return np.maximum(low, x0 - reach), np.minimum(high, x0 + reach), missing
        mobile = np.isin(np.arange(x0.shape[1]), schema.movable)
        far = np.where(schema.categorical, np.where(reach >= 1.0, np.inf, 0.0), reach * scale)
        far = np.where(mobile, far, np.inf)
        gone = np.isnan(x0)
        stuck = mobile & (reach < 1.0)
        missing = np.where(stuck & (missing == 1), np.where(gone, 2, 0), missing)
        low, high = np.where(gone, low, np.fmax(low, x0 - far)), np.where(gone, high, np.fmin(high, x0 + far))
        return low, high, missing


def refuse_tensors(scene: Scene) -> None:
    """Trees are searched in NumPy."""
    if not isinstance(scene.x, np.ndarray):
        raise Unsupported("trees are searched on NumPy rows", fix="hand the rows in as a NumPy array")
