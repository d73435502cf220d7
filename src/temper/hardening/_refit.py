"""What the defences of this room share: the check that a target can be fitted again, and data made larger."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.hardening._trend import direction
from temper.kernels.search import random_point, reachable, repair


def trainable(target: Target, defence: str) -> None:
    """Raise `Unsupported` when the target cannot be fitted again."""
    if Access.RETRAIN not in target.access:
        raise Unsupported(
            f"{defence} fits the model again, and {target.name} gives no way to do that",
            fix="give the estimator or its native model file, or put a guard before the model",
        )


def columns_of(schema: Schema | None, data: Data, defence: str) -> Schema:
    """The schema when it describes the columns of the data, else `Unsupported`."""
    if schema is None or not schema.columns:
        raise Unsupported(
            f"{defence} needs a schema that says what an attacker can change, and there is none",
            fix="describe the columns under `schema:`",
        )
    if len(schema.columns) != data.x.shape[1]:
        raise TemperError(
            f"the schema has {len(schema.columns)} columns and the training data {data.x.shape[1]}",
            fix="use the schema the data was read with",
        )
    return schema


def known_directions(schema: Schema, data: Data, target: Target, clear: float) -> tuple[int, ...]:
    """Per column -1, 0 or +1: where risk clearly rises or falls, in the columns an attacker moves, directly or not.

    Raises `Unsupported` for more than two classes and where no column is clear.
    """
    if target.classes > 2:
        raise Unsupported(
            f"a direction of risk needs one score, and this target has {target.classes} classes",
            fix="use a defence without constraints, such as augment",
        )
    reached = [column.movable or bool(column.formula) for column in schema.columns]
    ordered = [column.type != "category" for column in schema.columns]
    found = tuple(
        direction(data.x[:, at], data.y, clear) if reached[at] and ordered[at] else 0 for at in range(len(reached))
    )
    if not any(found):
        raise Unsupported(
            "no column an attacker can move has a clear direction of risk in the training data",
            fix="use a defence without constraints, such as augment",
        )
    return found


def with_moved_copies(
    data: Data, schema: Schema, rng: Draws, *, copies: int, positive_copies: int, norm: str, radius: float
) -> Data:
    """The data and copies of its rows at random admissible points of the ball, truth and ids kept.

    `copies` of every row and `positive_copies` more of class 1; copies that did not move, or left the domain, are left
    out, which is about one in four.
    """
    scene = Scene(x=data.x, y=data.y, ids=data.ids, schema=schema, budget=Budget(norm=norm, radius=radius))
    draws = replace(rng.child("copies"), ids=data.ids)
    low, high = reachable(schema, data.x, scene.budget)
    positive = np.flatnonzero(data.y == 1)
    parts = [data]
    for step in range(copies + positive_copies):
        rows = np.arange(len(data)) if step < copies else positive
        x = random_point(scene, rows, draws, step, low, high)
        kept = schema.admits(x, data.x[rows]) & (x != data.x[rows]).reshape(len(rows), -1).any(axis=1)
        parts.append(Data(x=x[kept], y=data.y[rows][kept], ids=data.ids[rows][kept]))
    return joined(parts)


def with_disguises(data: Data, schema: Schema, rng: Draws, *, copies: int, norm: str, radius: float) -> Data:
    """The data and `copies` of every row of class 1 that take over movable values of rows of class 0, drawn at random,
    as far as the radius goes; relations are kept, truth and ids too.

    A copy takes over a random share of the columns. Copies that did not move, or left the domain or the radius, are
    left out.
    """
    honest = np.flatnonzero(data.y == 0)
    rows = np.flatnonzero(data.y == 1)
    if not len(honest) or not len(rows):
        raise Unsupported("a disguise needs rows of class 0 and of class 1", fix="train on rows of both classes")
    draws = replace(rng.child("disguises"), ids=data.ids)
    scene = Scene(x=data.x, y=data.y, ids=data.ids, schema=schema, budget=Budget(norm=norm, radius=radius))
    parts, x0 = [data], data.x[rows]
    movable = np.isin(np.arange(data.x.shape[1]), schema.movable)
    for step in range(copies):
        other = honest[(draws.uniform(rows, 3 * step) * len(honest)).astype(int)]
        order = draws.uniform(rows, 3 * step + 1, x0.shape[1:])
        taken = movable & (order <= draws.uniform(rows, 3 * step + 2)[:, None])
        x = repair(np.where(taken, data.x[other], x0), x0, scene, order)
        near = np.asarray(schema.distance(x, x0, norm)) <= radius * (1 + 1e-9) + 1e-9
        kept = near & schema.admits(x, x0) & (x != x0).any(axis=1)
        parts.append(Data(x=x[kept], y=data.y[rows][kept], ids=data.ids[rows][kept]))
    return joined(parts)


def joined(parts: list[Data]) -> Data:
    """The rows of all parts in order."""
    return Data(
        x=np.concatenate([part.x for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
    )
