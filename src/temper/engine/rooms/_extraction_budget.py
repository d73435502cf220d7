"""A theft from a service that answers each client so many rows: what a thief gets, and what honest clients lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.attacks.extraction._answers import Copies, TooFew
from temper.core.attack import Scene
from temper.core.defence import Effect
from temper.core.errors import Unsupported
from temper.core.measure import Better, Measurement
from temper.core.room import Room
from temper.core.seed import Draws
from temper.engine.rooms._extraction_door import Door
from temper.engine.task import Part, Task, World
from temper.kernels.bootstrap import interval
from temper.kernels.rate import measure_rate, wilson
from temper.targets.budgeted import Budgeted, budget_of

Rows = np.ndarray[Any, Any]

_TOLERATED = 0.01


def within(plugin: Any, world: World) -> Any:
    """The attack with no more queries than all identities of a thief are answered."""
    budget = budget_of(world.target)
    return plugin if budget is None else replace(plugin, queries=min(plugin.queries, budget.within))


def unpriced(world: World) -> str:
    """Why a budget cannot be judged, or "": what it costs depends on how much honest clients ask."""
    budget = budget_of(world.target)
    if budget is None or budget.volumes:
        return ""
    return (
        "nobody has said how many rows honest clients ask in the time the query budget is for; "
        "declare them under assess.options: {hardening.query_budget: {volumes: [...]}}"
    )


def stolen(plugin: Any, door: Door, scene: Scene, rng: Draws, world: World) -> Copies:
    """The copies of the attack; where a budget leaves it too few queries, those of a thief who makes rows up."""
    try:
        copies: Copies = plugin.run(door, scene, rng)
    except TooFew:
        if budget_of(world.target) is None:
            raise
        made_up = {"queries": plugin.queries, "bare": getattr(plugin, "bare", False)}
        copies = Room("temper.attacks").build("extraction.surrogate", made_up).run(door, scene, rng)
    return copies


def priced(
    task: Task, world: World, plugin: Any, scene: Scene, victim: Rows, agreed: Any, rng: Draws
) -> tuple[tuple[Measurement, ...], dict[str, Any], int]:
    """What a thief with one identity gets, and what honest clients lose: figures, evidence, queries paid for."""
    budget = budget_of(world.target)
    if budget is None:
        return (), {}, 0
    alone, paid = _alone(plugin, scene, rng, world, budget)
    volumes = np.asarray(budget.volumes, dtype=float)
    kept: dict[str, Any] = {"budget": np.array([budget.rows, budget.clients]), "volumes": volumes}
    found = _losses(task.plugin, budget, volumes)
    if alone is not None:
        kept["single"] = alone
        figure = interval(
            agreed,
            victim,
            alone,
            rng=rng.child("single").generator(0),
            replicates=task.sizes.replicates,
            confidence=0.95,
            method="percentile",
        )
        single = Measurement(
            plugin=task.plugin,
            metric="single_f1",
            value=figure[0],
            low=figure[1],
            high=figure[2],
            n=len(victim),
            queries=paid,
            better=Better.LOWER,
            method="percentile bootstrap over rows",
            caveats=(f"a thief with one identity; the other figures are of one with {budget.clients}",),
        )
        found = (single, *found)
    return found, kept, paid


def _alone(plugin: Any, scene: Scene, rng: Draws, world: World, budget: Budgeted) -> tuple[Rows | None, int]:
    own = replace(plugin, queries=min(plugin.queries, budget.rows))
    door = Door(world.target, own.queries)
    try:
        copy = stolen(own, door, scene, rng, world).steps[-1][1]
    except Unsupported:
        return None, door.spent
    return np.asarray(copy.flags(scene.x)), door.spent


def _losses(plugin: str, budget: Budgeted, volumes: Rows) -> tuple[Measurement, ...]:
    """The share of honest clients that meet the budget, and of their rows that are left unanswered."""
    told = (f"{budget.rows:,} rows for a client, against the declared volumes of honest ones",)
    cut, unanswered = _cut(volumes, budget.rows)
    clients = measure_rate(plugin, "honest_clients_cut", cut, len(volumes), better=Better.LOWER, caveats=told)
    rows = Measurement(
        plugin=plugin,
        metric="honest_rows_cut",
        value=unanswered,
        low=unanswered,
        high=unanswered,
        n=int(volumes.sum()),
        better=Better.LOWER,
        unit="share",
        method="rows beyond the budget, of the declared volumes",
        caveats=told,
    )
    return clients, rows


def _cut(volumes: Rows, rows: int) -> tuple[int, float]:
    total = float(volumes.sum())
    return int((volumes > rows).sum()), float(np.maximum(volumes - rows, 0.0).sum()) / total if total else 0.0


def losses(defence: str, before: Part, after: Part) -> tuple[Effect, ...]:
    """Honest clients and rows that a budget cuts off, where none was before; more than one in a hundred is a harm."""
    budget, volumes = after.evidence.get("budget"), after.evidence.get("volumes")
    if budget is None or volumes is None or "budget" in before.evidence:
        return ()
    count, unanswered = _cut(volumes, int(budget[0]))
    ends: Sequence[tuple[str, float, tuple[float, float], int]] = (
        ("honest_clients_cut", count / len(volumes), wilson(count, len(volumes)), len(volumes)),
        ("honest_rows_cut", unanswered, (unanswered, unanswered), int(volumes.sum())),
    )
    return tuple(
        Effect(
            defence=defence,
            metric=f"extraction.{metric}",
            before=0.0,
            after=share,
            difference=share,
            low=low,
            high=high,
            n=n,
            verdict="worse" if share > _TOLERATED else "no clear change",
        )
        for metric, share, (low, high), n in ends
    )
