"""How much of what can be reached at all the searches find, at equal budgets of queries.

    python -m bench.search [--quick]

Three columns of each demo (SIMULATED) stay in the attacker's hands, so that every combination on a fine grid within the
schema and the cost can be tried: the truth, up to what lies between two grid points. Then each search with the same
queries per row on the same rows. The last table has all columns, where no truth is known.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table
from temper.core.data import Array
from temper.core.schema import Mutability, Schema

ATTACKS = ("evasion.noise", "evasion.random_search", "evasion.coordinate")
COLUMNS = {
    "fraud": ("amount", "hour", "merchant_category"),
    "held out": ("amount", "since_login", "session_steps"),
}
POINTS, BATCH = 121, 500_000
SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Which rows a search broke, which the grid broke, under a budget of queries."""

    attack: str
    queries: int
    broken: Array
    truth: Array | None


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick = "--quick" in words
    rows, budgets = (40, (50, 200)) if quick else (100, (20, 50, 200, 800))
    print(machine("numpy", "xgboost-cpu"))
    shares: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, write in _demos():
            system, positions = _opened(write(Path(folder) / name), rows)
            narrow = replace(system, schema=_only(system.schema, COLUMNS[name]))
            truth = _grid(narrow, positions)
            found = list(_searches(narrow, positions, budgets, truth))
            _print(f"{name}: {', '.join(COLUMNS[name])} only", found)
            for one in found:
                shares.setdefault(one.attack, []).append(_share(one)) if one.queries == 200 else None
            _print(f"{name}: all columns", list(_searches(system, positions, budgets, None)))
    for attack in ATTACKS[1:]:
        goal(f"{attack} finds of what can be found with 200 queries", min(shares[attack]), SHARE, at_least=True)
    return 0


def _demos() -> Iterator[tuple[str, Callable[[Path], Path]]]:
    from temper.demos import fraud, held_out

    yield "fraud", fraud.write
    yield "held out", held_out.write


def _opened(path: Path, rows: int) -> tuple[Any, Array]:
    """The system and the positions of the frauds it judges right."""
    import temper
    from temper.engine.plan import draw
    from temper.engine.task import SUITES

    system = temper.load(path)
    return system, draw(system, replace(SUITES["standard"], attacked=rows), 0).attacked


def _only(schema: Schema, names: Iterable[str]) -> Schema:
    """The schema with every other column out of the attacker's hands."""
    fixed = {c.name: {"attacker": Mutability.IMMUTABLE} for c in schema.columns if c.movable and c.name not in names}
    return schema.with_columns(fixed)


def _searches(system: Any, rows: Array, budgets: Iterable[int], truth: Array | None) -> Iterator[Found]:
    """Every search with every budget on the same rows."""
    from temper.core.room import Room
    from temper.engine.plan import draw
    from temper.engine.strike import strike
    from temper.engine.task import SUITES, Task

    world = draw(system, SUITES["standard"], 0)
    for queries in budgets:
        budget = replace(_budget(system), queries=queries)
        for name in ATTACKS:
            task = Task(room="attacks", plugin=name, budget=budget)
            attack = Room("temper.attacks").build(name)
            found = strike(attack, system.target, world.scene(task, rows, mode="first"), 0, name)
            yield Found(attack=name, queries=queries, broken=found.verdicts == "broken", truth=truth)


def _budget(system: Any) -> Any:
    from temper.core.budget import Budget

    return Budget(norm="cost", cost=system.actors[0].cost)


def _grid(system: Any, rows: Array) -> Array:
    """Which rows some point of the grid breaks: every combination, admissible and affordable, put to the model."""
    from temper.engine.plan import decisions

    schema, cost = system.schema, system.actors[0].cost
    broken = np.zeros(len(rows), dtype=bool)
    for at, row in enumerate(rows):
        clean = system.data.x[row]
        for points in _combinations(schema, clean, cost):
            x0 = np.broadcast_to(clean, points.shape)
            points = schema.project(points, x0)
            good = schema.admits(points, x0) & (schema.cost(points, x0) <= cost)
            if good.any() and (decisions(system, points[good]) != system.data.y[row]).any():
                broken[at] = True
                break
    return broken


def _combinations(schema: Schema, clean: Array, cost: float) -> Iterator[Array]:
    """The grid around one row, in pieces that fit into memory."""
    axes = [_axis(schema, int(at), clean[at], cost) for at in schema.movable]
    spent = np.meshgrid(
        *(np.abs(axis - clean[at]) for axis, at in zip(axes, schema.movable, strict=True)), indexing="ij"
    )
    price = np.zeros(spent[0].shape)
    for change, at in zip(spent, schema.movable, strict=True):
        moved = (change > 0) if schema.categorical[at] else change / schema.scales[at]
        price += moved * schema.prices[at]
    chosen = np.argwhere(price <= cost * (1 + 1e-9))
    for start in range(0, len(chosen), BATCH):
        piece = chosen[start : start + BATCH]
        points = np.tile(clean, (len(piece), 1))
        for k, at in enumerate(schema.movable):
            points[:, at] = axes[k][piece[:, k]]
        yield points


def _axis(schema: Schema, at: int, here: float, cost: float) -> Array:
    """Every category, every whole number in reach, else an even grid of the reach with the clean value in it."""
    column = schema.columns[at]
    if schema.categorical[at]:
        return np.arange(schema.highs[at] + 1.0)
    reach = cost / schema.prices[at] * column.scale
    low, high = max(column.low, here - reach), min(column.high, here + reach)
    if column.type == "integer":
        return np.arange(np.ceil(low), np.floor(high) + 1.0)
    return np.unique(np.append(np.linspace(low, high, POINTS), here))


def _print(title: str, found: list[Found]) -> None:
    """One line per budget and search: success with its interval, and what share of the truth that is."""
    from temper.kernels.rate import mcnemar, wilson

    n, truth = len(found[0].broken), found[0].truth
    rows = []
    if truth is not None:
        low, high = wilson(int(truth.sum()), n)
        rows.append(["every grid point", "-", f"{truth.mean():.1%} [{low:.1%}, {high:.1%}]", n, "", "", ""])
    noise = {one.queries: one.broken for one in found if one.attack == ATTACKS[0]}
    for one in found:
        low, high = wilson(int(one.broken.sum()), n)
        more, fewer = (one.broken & ~noise[one.queries]).sum(), (noise[one.queries] & ~one.broken).sum()
        beyond = "" if truth is None else str(int((one.broken & ~truth).sum()))
        share = "" if truth is None else f"{_share(one):.1%}"
        p = "" if one.attack == ATTACKS[0] else f"{mcnemar(int(fewer), int(more)):.1g}"
        rate = f"{one.broken.mean():.1%} [{low:.1%}, {high:.1%}]"
        rows.append([one.attack, str(one.queries), rate, n, share, beyond, p])
    columns = ["", "queries", "broken [Wilson 95 %]", "n", "of the truth", "between points", "p against noise"]
    table(title, columns, rows)


def _share(one: Found) -> float:
    """Of the rows the grid breaks, the share this search breaks too."""
    if one.truth is None or not one.truth.any():
        return float("nan")
    return float((one.broken & one.truth).sum() / one.truth.sum())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
