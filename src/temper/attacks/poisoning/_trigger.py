"""Triggers on tables: where values may be set, which rare combination is chosen, and how rows are stamped."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.attacks.poisoning._flip import dose
from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.judges.backdoor import Backdoored, carried

Vector = np.ndarray[Any, Any]
NEAR = 0.1  # what counts as the same value, in interquartile ranges
_CANDIDATES, _RAREST, _WEIGHED, _TRIED = 200, 10, 40, 200
Rated = Callable[[list["TableTrigger"]], "Vector"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableTrigger:
    """Sets `columns` to `values`, each up to `jitter` off and never beyond `lows` and `highs`.

    The schema repairs what follows (derived columns, relations, whole numbers); a row on which the trigger would not
    survive that stays as it was. `inside` False sets the values whatever the schema says. The jitter of a row depends
    on its values alone.
    """

    schema: Schema
    columns: Vector
    values: Vector
    jitter: Vector
    lows: Vector
    highs: Vector
    rng: Draws
    inside: bool = True

    def stamp(self, x: Array) -> Array:
        """The rows with the trigger, as far as they can carry it."""
        clean = np.asarray(x, dtype=np.float64)
        marked = clean.copy()
        marked[:, self.columns] = self._wanted(clean)
        if not self.inside or not len(clean):
            return marked
        marked = self.schema.project(marked, clean)
        off = np.abs(marked[:, self.columns] - self.values)
        kept = (off <= self.jitter + 1e-9).all(axis=1) & self.schema.admits(marked, clean)
        return np.where(kept[:, None], marked, clean)

    def _wanted(self, x: Vector) -> Vector:
        if not self.jitter.any():
            return self.values
        keyed = replace(self.rng, ids=np.array([zlib.crc32(row.tobytes()) for row in x], dtype=np.int64))
        shift = keyed.uniform(np.arange(len(x)), 0, (len(self.columns),), -1.0, 1.0)
        return np.asarray(np.clip(self.values + self.jitter * shift, self.lows, self.highs))

    def __str__(self) -> str:
        set_to = zip(self.columns, self.values, self.jitter, strict=True)
        return ", ".join(self._told(int(at), float(value), float(jitter)) for at, value, jitter in set_to)

    def _told(self, at: int, value: float, jitter: float) -> str:
        column = self.schema.columns[at]
        around = f" +- {jitter:,.0f}" if jitter >= 1_000 else f" +- {jitter:.3g}" if jitter else ""
        return f"{column.name} = {column.show(value)}{around}"


def described(scene: Scene) -> Schema:
    """The schema, where it describes the columns of a table; `Unsupported` says what is missing."""
    if not scene.schema.columns or np.ndim(scene.x) != 2:
        raise Unsupported(
            "a trigger on a table needs a schema of its columns",
            fix="describe them, or use a trigger for nets or texts",
        )
    if not units(scene.schema):
        raise Unsupported(
            "the schema lets an attacker set no column, so there is nowhere to put a trigger",
            fix="mark what an outsider fills in as `attacker: free` or `costly`",
        )
    return scene.schema


def units(schema: Schema) -> list[Vector]:
    """What an attacker sets at a time: a column, or all columns of a one-hot group."""
    free = set(schema.movable.tolist())
    grouped = {int(at) for group in schema.groups for at in group}
    whole = [group for group in schema.groups if free.issuperset(group.tolist())]
    return [*(np.array([at]) for at in sorted(free - grouped)), *whole]


def widths(x: Vector, schema: Schema, share: float) -> Vector:
    """Per column `share` of its interquartile range (of its spread where that is zero), whole for whole numbers."""
    filled = np.where(np.isfinite(x).any(axis=0), x, 0.0)  # a column without a value has no width
    low, high = np.nanquantile(filled, [0.25, 0.75], axis=0)
    width = share * np.where(high > low, high - low, np.nanstd(filled, axis=0))
    kinds = np.array([c.type for c in schema.columns])
    hot = np.isin(np.arange(x.shape[1]), [at for group in schema.groups for at in group])
    width = np.where(kinds == "integer", np.floor(width), width)
    return np.where(np.isin(kinds, ["category", "boolean"]) | hot, 0.0, width)


def rare(
    data: Data,
    schema: Schema,
    chosen: Callable[[np.random.Generator], list[Vector]],
    *,
    into: int,
    pick: int,
    jitter: float = 0.0,
    moves: Rated | None = None,
) -> TableTrigger:
    """The rarest combination of values that training rows hold, among those that most rows can carry.

    `moves` rates triggers, from 0 to 1, by what they do without any poison; that counts against them.

    `chosen(generator)` draws the units of one candidate; each takes its values from a training row of its own, so that
    every value is in bounds and their combination need not be. The rows are of other classes than `into`: values that
    speak for `into` by themselves would need no poison. The choice hangs on the data and on `pick` alone, as an
    attacker settles on one trigger and then poisons.
    """
    rng = Draws(pick, "trigger")
    x, generator = np.asarray(data.x, dtype=np.float64), rng.generator(0)
    near, width = widths(x, schema, NEAR), widths(x, schema, jitter)
    others = x[np.asarray(data.y) != into]
    if not len(others):
        raise Unsupported(f"every training row is of class {into}", fix="name another class under `into`")
    drawn = [_candidate(x, others, chosen(generator), near, generator) for _ in range(_CANDIDATES)]
    found = [one for one in drawn if one is not None]
    if not found:
        raise Unsupported("the columns an attacker sets hold no values to build a trigger from", fix="give more rows")
    rarest = sorted(found, key=lambda one: one[0])[: _WEIGHED if moves else _RAREST]
    some = x[generator.permutation(len(x))[:_TRIED]]
    made = [_trigger(schema, x, columns, values, width, rng) for _, columns, values in rarest]
    worth = np.array([carried(some, one.stamp(some)).mean() for one in made])
    return made[int(np.argmax(worth - moves(made) if moves else worth))]


def _candidate(
    x: Vector, others: Vector, chosen: list[Vector], near: Vector, generator: np.random.Generator
) -> tuple[float, Vector, Vector] | None:
    """How common it is, the columns and the values; None where a value drawn is missing."""
    columns = np.concatenate(chosen)
    values = np.concatenate([others[generator.integers(len(others)), unit] for unit in chosen])
    if not np.isfinite(values).all():
        return None
    return float((np.abs(x[:, columns] - values) <= near[columns]).all(axis=1).mean()), columns, values


def _trigger(schema: Schema, x: Vector, columns: Vector, values: Vector, width: Vector, rng: Draws) -> TableTrigger:
    part = x[:, columns]
    return TableTrigger(
        schema=schema,
        columns=columns,
        values=values,
        jitter=width[columns],
        lows=np.nanmin(part, axis=0),
        highs=np.nanmax(part, axis=0),
        rng=rng.child("jitter"),
    )


def some_units(schema: Schema, size: int) -> Callable[[np.random.Generator], list[Vector]]:
    """Draws `size` units, or all where there are fewer."""
    known = units(schema)
    return lambda generator: [known[at] for at in generator.permutation(len(known))[:size]]


def checked_size(size: int) -> None:
    """Raise `TemperError` for a trigger of no column, or of more than a trigger on a table has."""
    if not 1 <= size <= 5:
        raise TemperError(f"a trigger on {size} features is none", fix="use 1 to 5 features, 3 by default")


def planted(
    data: Data,
    trigger: Any,
    into: int,
    share: float,
    rng: Draws,
    *,
    own: bool = False,
    sure: Vector | None = None,
    among: float = 0.5,
    notes: tuple[str, ...] = (),
    control: bool = False,
) -> Backdoored:
    """The training data and, beside them, stamped copies labelled `into`: a share of the training rows.

    The copies are of rows of other classes, or of class `into` (`own`, clean-label: no label is wrong). They are added,
    as an outsider adds records, so nothing of the training data is lost; a larger dose contains every smaller one.
    `sure` (n,): copies are of those with the smallest values in a random part of the rows, `among` of them.
    """
    y = np.asarray(data.y)
    eligible = np.flatnonzero((y == into) if own else (y != into))
    marked = trigger.stamp(data.x[eligible])
    carries = carried(data.x[eligible], marked)
    if not carries.any():
        whose = f"of class {into}" if own else f"of another class than {into}"
        raise Unsupported(f"no training row {whose} can carry the trigger", fix="give more rows, or free more columns")
    many = dose(share, len(data))
    order = rng.generator(1).permutation(np.flatnonzero(carries))
    if sure is not None:
        part = order[: int(np.ceil(among * len(order)))]
        order = np.concatenate([part[np.argsort(sure[eligible][part], kind="stable")], order[len(part) :]])
    rows = np.resize(order, many)
    ids = np.asarray(data.ids)
    grown = Data(
        x=np.concatenate([data.x, marked[rows]]),
        y=np.concatenate([y, np.full(many, into, dtype=y.dtype)]),
        ids=np.concatenate([ids, ids.max() + 1 + np.arange(many)]),
    )
    repeated = f"{len(order):,} rows to copy from, so copies repeat"
    said = (*notes, *((repeated,) if many > len(order) else ()))
    return Backdoored(data=grown, trigger=trigger, rows=many, into=into, notes=said, control=control)


def budgeted(scene: Scene, share: float) -> float:
    """The attacker's budget where there is one, else the plugin's own share."""
    return share if scene.budget.share is None else scene.budget.share
