"""The columns: type, range, categories; what an attacker may change, in which direction, at what cost."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import SchemaError
from temper.core.expression import Expression, Relation, parse, parse_relation

TOLERANCE = 1e-6
TYPES = ("number", "integer", "category", "boolean")


class Mutability(Enum):
    """What the attacker can do with a column: change it freely, at a cost, only through others, or not at all."""

    FREE = "free"
    COSTLY = "costly"
    DERIVED = "derived"
    IMMUTABLE = "immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: `scale` is the unit of distances, `cost` the price of moving it by one scale or to another category.

    `direction` "rise" or "fall" limits the attacker; `formula` recomputes a DERIVED column when its inputs move;
    `group` names a one-hot group; `missing` says that an empty value is allowed.
    """

    name: str
    type: str = "number"
    low: float = -np.inf
    high: float = np.inf
    categories: tuple[str, ...] = ()
    attacker: Mutability = Mutability.IMMUTABLE
    cost: float = 1.0
    direction: str = ""
    formula: str = ""
    missing: bool = False
    scale: float = 1.0
    group: str = ""
    sensitive: bool = False

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise SchemaError(f"column {self.name!r} has type {self.type!r}", fix=f"use one of {', '.join(TYPES)}")
        if self.direction not in ("", "rise", "fall"):
            raise SchemaError(f"column {self.name!r} has direction {self.direction!r}", fix="use rise or fall")
        if not self.low <= self.high:
            raise SchemaError(f"column {self.name!r}: low {self.low} is above high {self.high}")
        if self.cost < 0 or not self.scale > 0:
            raise SchemaError(f"column {self.name!r}: cost must not be negative and scale must be positive")
        if (self.attacker is Mutability.DERIVED) != bool(self.formula):
            raise SchemaError(f"column {self.name!r}: a derived column has a formula, and only a derived column")

    @property
    def movable(self) -> bool:
        """Whether the attacker sets it directly."""
        return self.attacker in (Mutability.FREE, Mutability.COSTLY)

    @property
    def discrete(self) -> bool:
        """Whether only whole numbers are valid."""
        return self.type != "number"

    def show(self, value: float) -> str:
        """The value as a person reads it."""
        if np.isnan(value):
            return "missing"
        if self.type == "category" and 0 <= value < len(self.categories):
            return self.categories[int(value)]
        if self.type == "boolean":
            return "yes" if value else "no"
        value += 0.0  # minus zero reads as zero
        return f"{value:,.0f}" if self.type == "integer" else f"{value:,.4g}" if abs(value) < 1 else f"{value:,.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One decoded change of an adversarial row."""

    column: str
    before: str
    after: str
    cost: float
    derived: bool = False

    def __str__(self) -> str:
        return f"{self.column} {self.before} -> {self.after}"


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The domain an attacker must stay in: columns with relations, or a box for inputs without columns (images).

    A relation that a clean row already breaks is not enforced on that row beyond its own excess.

    >>> schema = Schema(columns=(Column(name="a", attacker=Mutability.FREE, low=0, high=9),))
    >>> schema.project(np.array([[12.0]]), np.array([[1.0]]))
    array([[9.]])
    """

    columns: tuple[Column, ...] = ()
    relations: tuple[str, ...] = ()
    low: float = -np.inf
    high: float = np.inf

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SchemaError(f"duplicated column names: {', '.join(twice)}", fix="rename them")
        for text in (*self.relations, *(c.formula for c in self.columns if c.formula)):
            parsed = parse_relation(text) if text in self.relations else parse(text)
            self._known(parsed)
        _ = self.formulas  # a cycle among derived columns is an error now, not later

    def _known(self, parsed: Relation | Expression) -> None:
        used = parsed.left.every_name | parsed.right.every_name if isinstance(parsed, Relation) else parsed.every_name
        for name in used - set(self.names):
            near = difflib.get_close_matches(name, self.names, n=1)
            raise SchemaError(
                f"{parsed.text!r} names the unknown column {name!r}", fix=f"did you mean {near[0]!r}?" if near else ""
            )

    @staticmethod
    def box(low: float, high: float) -> Schema:
        """The domain of inputs without columns: every value in [low, high], all of them free."""
        return Schema(low=low, high=high)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def index(self, name: str) -> int:
        """Position of a column; an unknown name is answered with the nearest one."""
        if name not in self._places:
            near = difflib.get_close_matches(name, self.names, n=1)
            raise SchemaError(f"no column {name!r}", fix=f"did you mean {near[0]!r}?" if near else "")
        return self._places[name]

    def with_columns(self, changes: Mapping[str, Mapping[str, Any]]) -> Schema:
        """A copy with some columns changed: {"amount": {"cost": 2.0}}."""
        columns = tuple(replace(c, **changes[c.name]) if c.name in changes else c for c in self.columns)
        return Schema(columns=columns, relations=self.relations, low=self.low, high=self.high)

    # -- arrays used by attacks -------------------------------------------------------------------------------------

    @cached_property
    def movable(self) -> np.ndarray[Any, Any]:
        """Positions of the columns an attacker sets directly."""
        return np.flatnonzero([column.movable for column in self.columns])

    @cached_property
    def lows(self) -> np.ndarray[Any, Any]:
        """Lower ends of the columns (0 for categories)."""
        return np.array([0.0 if c.type in ("category", "boolean") else c.low for c in self.columns])

    @cached_property
    def highs(self) -> np.ndarray[Any, Any]:
        """Upper ends of the columns (the last code for categories)."""
        return np.array([_high(c) for c in self.columns])

    @cached_property
    def scales(self) -> np.ndarray[Any, Any]:
        """Units of distance; one whole category change is one unit."""
        return np.array([1.0 if c.type in ("category", "boolean") else c.scale for c in self.columns])

    @cached_property
    def categorical(self) -> np.ndarray[Any, Any]:
        """Mask of columns in which any change counts the same."""
        return np.array([c.type in ("category", "boolean") for c in self.columns], dtype=bool)

    @cached_property
    def groups(self) -> tuple[np.ndarray[Any, Any], ...]:
        """Positions of each one-hot group."""
        names = dict.fromkeys(c.group for c in self.columns if c.group)
        return tuple(np.flatnonzero([c.group == name for c in self.columns]) for name in names)

    @cached_property
    def tied(self) -> np.ndarray[Any, Any]:
        """Positions of movable columns that some relation reads, itself or through derived columns."""
        read = {name for relation in self._relations for name in (*relation.left.names, *relation.right.names)}
        for name, expression in reversed(self.formulas):  # inputs stand first, so what reads them has been seen
            read |= expression.names if name in read else set()
        return np.array([at for at in self.movable if self.names[at] in read], dtype=np.int64)

    def bounds(self, x0: Array) -> tuple[Array, Array]:
        """Per row and column the reachable lower and upper end: range, direction and mutability together."""
        if not self.columns:
            return x0 * 0 + self.low, x0 * 0 + self.high
        low = np.where(self._floor_fixed, x0, np.fmin(self.lows, x0))
        high = np.where(self._top_fixed, x0, np.fmax(self.highs, x0))
        return low, high

    # -- the three laws: project, admits, decode --------------------------------------------------------------------

    def project(self, x: Array, x0: Array) -> Array:
        """The nearest simple repair of `x` inside the domain of `x0`: ranges, whole numbers, one-hot groups, `a <= b`,
        derived columns. Relations it cannot repair are left to `admits`.
        """
        if not self.columns:
            return x.clip(self.low, self.high)
        low, high = self.bounds(x0)
        x = self.derive(self._settle(x, x0, low, high), x0)
        for relation in self._relations:
            x = self._repair(relation, x, x0, low, high)
        return x

    def settle(self, x: Array, x0: Array) -> Array:
        """The first half of `project`: valid values column by column, nothing derived, no relations."""
        if not self.columns:
            return x.clip(self.low, self.high)
        return self._settle(x, x0, *self.bounds(x0))

    def admits(self, x: Array, x0: Array) -> np.ndarray[Any, Any]:
        """Which candidates lie in the domain of their clean rows."""
        ok = np.ones(len(x), dtype=bool)
        if len(x) and self._loose and bool(((x >= self.lows) & (x <= self.highs)).all()):
            return ok
        if len(x) and not self.columns and bool(x.min() >= self.low) and bool(x.max() <= self.high):
            return ok
        for _, mask in self._violations(x, x0):
            ok &= ~mask
        return ok

    def keeps(self, x: Array, x0: Array) -> np.ndarray[Any, Any]:
        """Which candidates keep the relations as far as their clean rows do: all that `project` leaves open."""
        kept = np.ones(len(x), dtype=bool)
        for relation in self._relations:
            kept &= ~self._breaks(relation, x, x0)
        return kept

    def unmet(self, x: Array) -> dict[str, np.ndarray[Any, Any]]:
        """Per relation that some rows do not satisfy as they are: its text and the mask of those rows."""
        now, found = self._by_name(x) if self.columns else {}, {}
        for relation in self._relations:
            excess = np.broadcast_to(relation.excess(now, now), (len(x),))
            size = np.broadcast_to(relation.right.value(now, now), (len(x),))
            mask = excess > TOLERANCE * (1.0 + np.abs(size))
            if mask.any():
                found[relation.text] = mask
        return found

    def reason(self, x: Array, x0: Array) -> str:
        """Why the first refused row is refused, or "" when every row is admitted."""
        masks = list(self._violations(x, x0))
        bad = np.logical_or.reduce([mask for _, mask in masks]) if masks else np.zeros(len(x), dtype=bool)
        if not bad.any():
            return ""
        row = int(np.argmax(bad))
        return f"row {row}: " + "; ".join(text for text, mask in masks if mask[row])

    def faults(self, row: Array, clean: Array) -> tuple[str, ...]:
        """Every rule that one row breaks beside its clean row, in words."""
        return tuple(text for text, mask in self._violations(row[None], clean[None]) if mask[0])

    def derive(self, x: Array, x0: Array, kept: Array | None = None) -> Array:
        """Recompute derived columns: the clean value plus what the formula moves, so recorded residuals are kept.

        Cells of the mask `kept` stay as they are, and what derives from them follows them.
        """
        if not self.formulas:
            return x
        x = x.copy()
        before, now = self._by_name(x0), self._by_name(x)
        for name, expression in self.formulas:
            at = self.index(name)
            moved = expression.value(now, before) - expression.value(before, before)
            value = np.broadcast_to(np.where(moved == 0, x0[:, at], x0[:, at] + moved), (len(x),))
            value = np.round(value, 9) if self.columns[at].discrete else value
            x[:, at] = value if kept is None else np.where(kept[:, at], x[:, at], value)
        return x

    def distance(self, x: Array, x0: Array, norm: str) -> Array:
        """Distance per row in the columns' scales, over the columns an attacker sets (derived ones move for free)."""
        if norm == "cost":
            return self.cost(x, x0)
        delta = self.moves(x, x0)
        delta = delta.reshape((len(delta), -1))
        if norm == "linf":
            return _rows_max(abs(delta))
        if norm == "l2":
            return (delta * delta).sum(-1) ** 0.5
        if norm == "l1":
            return abs(delta).sum(-1)
        if norm == "l0":
            return (delta != 0).sum(-1) * 1.0
        raise SchemaError(f"rows of numbers have no distance in {norm!r}", fix="use linf, l2, l1, l0 or cost")

    def cost(self, x: Array, x0: Array) -> Array:
        """Price of a change: cost per scale moved, or per category changed, summed over the columns."""
        if not self.columns:
            return abs(x - x0).reshape((len(x), -1)).sum(-1)
        return abs(self.moves(x, x0)) @ self.prices

    def moves(self, x: Array, x0: Array) -> Array:
        """Scaled signed change per column; a changed category, or a value gone missing, counts one."""
        if not self.columns:
            return x - x0
        delta = x - x0
        unknown = bool(np.isnan(delta).any())
        if not self._even:
            delta = np.where(self.categorical, x != x0, delta / self.scales)
        if unknown:
            delta = np.where(np.isnan(x) | np.isnan(x0), np.isnan(x) != np.isnan(x0), delta)
        return delta if self._set.all() else np.where(self._set, delta, 0.0)

    def decode(self, x: Array, x0: Array) -> list[Change]:
        """The named changes from one clean row (d,) to its adversarial row (d,)."""
        moved = abs(self.moves(x[None], x0[None])[0]) * self.prices
        changes = []
        for at, column in enumerate(self.columns):
            same = x[at] == x0[at] or (np.isnan(x[at]) and np.isnan(x0[at]))
            if not same:
                derived = not column.movable
                changes.append(
                    Change(
                        column=column.name,
                        before=column.show(x0[at]),
                        after=column.show(x[at]),
                        cost=float(moved[at]),
                        derived=derived,
                    )
                )
        return sorted(changes, key=lambda change: change.derived)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.names)}

    # -- inside -----------------------------------------------------------------------------------------------------

    @cached_property
    def _floor_fixed(self) -> np.ndarray[Any, Any]:
        return np.array([not c.movable or c.direction == "rise" for c in self.columns])

    @cached_property
    def _top_fixed(self) -> np.ndarray[Any, Any]:
        return np.array([not c.movable or c.direction == "fall" for c in self.columns])

    @cached_property
    def _movable(self) -> np.ndarray[Any, Any]:
        return np.array([c.movable for c in self.columns])

    @cached_property
    def _set(self) -> np.ndarray[Any, Any]:
        return np.array([c.attacker is not Mutability.DERIVED for c in self.columns])

    @cached_property
    def prices(self) -> np.ndarray[Any, Any]:
        """Price of moving each column by one scale; zero where it is free."""
        # A one-hot move flips two columns and is one change, so each half costs half.
        return np.array([c.cost * (0.5 if c.group else 1.0) * (c.attacker is Mutability.COSTLY) for c in self.columns])

    @cached_property
    def _discrete(self) -> np.ndarray[Any, Any]:
        return np.array([c.discrete for c in self.columns])

    @cached_property
    def _even(self) -> bool:
        """Whether distances are plain differences: numbers and counts in units of one."""
        return bool((self.scales == 1.0).all()) and not self.categorical.any()

    @cached_property
    def _loose(self) -> bool:
        """Whether every value in the columns' ranges is admissible, whatever the clean row."""
        tied = self.relations or self.groups or any(c.discrete or c.direction for c in self.columns)
        return bool(self.columns) and not tied and bool(self._movable.all())

    @cached_property
    def _relations(self) -> tuple[Relation, ...]:
        return tuple(parse_relation(text) for text in self.relations)

    @cached_property
    def formulas(self) -> tuple[tuple[str, Expression], ...]:
        """Derived columns, inputs first."""
        waiting = {c.name: parse(c.formula) for c in self.columns if c.formula}
        order: list[tuple[str, Expression]] = []
        while waiting:
            ready = [name for name, expression in waiting.items() if not expression.names & set(waiting)]
            if not ready:
                raise SchemaError(f"derived columns depend on each other: {', '.join(waiting)}")
            order += [(name, waiting.pop(name)) for name in ready]
        return tuple(order)

    @cached_property
    def _erasable(self) -> np.ndarray[Any, Any]:
        return np.array([c.missing and c.movable for c in self.columns])

    def _by_name(self, x: Array) -> dict[str, Array]:
        return {name: x[:, at] for at, name in enumerate(self.names)}

    def _may_miss(self, x0: Array) -> Array:
        return self._erasable | np.isnan(x0)

    def _settle(self, x: Array, x0: Array, low: Array, high: Array) -> Array:
        x = np.where(np.isnan(x) & ~self._may_miss(x0), x0, x)
        x = np.clip(x, low, high)
        whole = self._discrete & ~np.isnan(x)
        x = np.where(whole, np.clip(np.round(x), np.ceil(low), np.floor(high)), x)
        x = np.where(self._discrete & (x0 != np.round(x0)) & ~np.isnan(x0), x0, x)
        for group in self.groups:
            x = self._one_hot(x, x0, group)
        return x

    def _one_hot(self, x: Array, x0: Array, group: np.ndarray[Any, Any]) -> Array:
        x = x.copy()
        part = np.where(np.isnan(x[:, group]), -np.inf, x[:, group] + 1e-9 * x0[:, group])
        x[:, group] = np.eye(len(group))[np.argmax(part, axis=1)]
        fixed = ~np.isin(group, self.movable)
        broken = (x[:, group] != x0[:, group])[:, fixed].any(axis=1)
        x[np.ix_(broken, group)] = x0[np.ix_(broken, group)]
        return x

    def _repair(self, relation: Relation, x: Array, x0: Array, low: Array, high: Array) -> Array:
        """Pull a movable column that stands alone on one side of a broken inequality to its limit, else the other."""
        bad = self._breaks(relation, x, x0)
        if not bad.any() or relation.sign == "=":
            return x
        x = x.copy()
        for side, other in ((relation.left, relation.right), (relation.right, relation.left)):
            if side.root[0] == "column" and self.index(side.root[1]) in self.movable and bad.any():
                at = self.index(side.root[1])
                limit = np.broadcast_to(other.value(self._by_name(x), self._by_name(x0)), (len(x),))
                x[bad, at] = np.clip(limit[bad], low[bad, at], high[bad, at])
                if self.columns[at].discrete:
                    down = (relation.sign in ("<=", "<")) == (side is relation.left)
                    x[bad, at] = (np.floor if down else np.ceil)(x[bad, at])
                x = self.derive(x, x0)
                bad = bad & self._breaks(relation, x, x0)
        return x

    def _breaks(self, relation: Relation, x: Array, x0: Array) -> Array:
        now, before = self._by_name(x), self._by_name(x0)
        excess = np.broadcast_to(relation.excess(now, before), (len(x),))
        own = np.broadcast_to(relation.excess(before, before), (len(x),))
        size = TOLERANCE * (1.0 + np.abs(np.broadcast_to(relation.right.value(now, before), (len(x),))))
        return ~(excess <= np.nan_to_num(own, nan=np.inf) + size)

    def _violations(self, x: Array, x0: Array) -> Iterable[tuple[str, np.ndarray[Any, Any]]]:
        """(what is wrong, mask of rows) for every rule."""
        if not self.columns:
            outside = ((x < self.low) | (x > self.high)).reshape((len(x), -1)).any(-1)
            yield f"outside [{self.low}, {self.high}]", np.asarray(outside.tolist(), dtype=bool)
            return
        low, high = self.bounds(x0)
        both = np.isnan(x) & np.isnan(x0)
        set_here = self._set & ~both
        slack = TOLERANCE * self.scales
        outside = set_here & ((x < low - slack) | (x > high + slack)) & ~(x == x0)
        broken = set_here & self._discrete & (x != np.round(x)) & (x != x0) & ~np.isnan(x)
        missing = np.isnan(x) & ~self._may_miss(x0)
        gone = set_here & ~missing & np.isnan(x0) & ~np.isnan(x) & ~self._movable
        for at in np.flatnonzero((outside | broken | missing | gone).any(axis=0)):
            column = self.columns[at]
            if outside[:, at].any():
                yield self._outside(column, x, x0, at, outside[:, at]), outside[:, at]
            for mask, text in (
                (broken, "is not a valid code"),
                (missing, "may not be missing"),
                (gone, "may not be set"),
            ):
                if mask[:, at].any():
                    yield f"{column.name} {text}", mask[:, at]
        yield from self._structure(x, x0)

    def _outside(self, column: Column, x: Array, x0: Array, at: Any, bad: Array) -> str:
        row = int(np.argmax(bad))
        if not column.movable:
            return (
                f"{column.name} is immutable and changed from {column.show(x0[row, at])} to {column.show(x[row, at])}"
            )
        if column.direction:
            return f"{column.name} may only {column.direction}, or left [{column.low:g}, {column.high:g}]"
        return f"{column.name} {x[row, at]:g} is outside [{self.lows[at]:g}, {self.highs[at]:g}]"

    def _structure(self, x: Array, x0: Array) -> Iterable[tuple[str, np.ndarray[Any, Any]]]:
        for group in self.groups:
            part, clean = x[:, group], x0[:, group]
            hot = np.isin(part, (0.0, 1.0)).all(axis=1) & (part.sum(axis=1) == 1.0)
            yield f"{self.columns[group[0]].group} is not one of its categories", ~hot & (part != clean).any(axis=1)
        if self.formulas:
            wanted = self.derive(x, x0)
            for name, _ in self.formulas:
                at = self.index(name)
                near = np.abs(x[:, at] - wanted[:, at]) <= TOLERANCE * (1.0 + np.abs(wanted[:, at]))
                yield f"{name} does not follow from its formula", ~(near | (np.isnan(x[:, at]) & np.isnan(x0[:, at])))
        for relation in self._relations:
            yield f"{relation.text} does not hold", self._breaks(relation, x, x0)


def _high(column: Column) -> float:
    if column.type == "category":
        return float(len(column.categories) - 1)
    return 1.0 if column.type == "boolean" else column.high


def _rows_max(values: Array) -> Array:
    return np.max(values, axis=-1) if isinstance(values, np.ndarray) else values.amax(-1)
