"""Fitting the twins: clean ones once per repeat, poisoned ones per dose, all with the same rows and seeds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Recipe
from temper.engine.task import Task, clock
from temper.judges.backdoor import Backdoored

_ALIKE = 1e-9


@dataclass(slots=True)
class Stamped:
    """One dose of a backdoor over the repeats: scores of stamped rows by both twins, and which carry the trigger."""

    poisoned: list[Any] = field(default_factory=list)
    clean: list[Any] = field(default_factory=list)
    landed: list[Any] = field(default_factory=list)
    made: list[Backdoored] = field(default_factory=list)


@dataclass(slots=True)
class Twins:
    """Held-out scores of the twins fitted so far, each (n, k), in the order of the repeats.

    `rows`: poisoned rows per dose; `stamped`: the same doses on rows with the trigger, for backdoors.
    """

    clean: list[Any] = field(default_factory=list)
    poisoned: dict[float, list[Any]] = field(default_factory=dict)
    rows: dict[float, int] = field(default_factory=dict)
    stamped: dict[float, Stamped] = field(default_factory=dict)


def shares(task: Task, doses: tuple[float, ...]) -> tuple[float, ...]:
    """The doses, rising: those of the suite up to the attacker's budget, and the budget itself."""
    budget = task.budget.share
    if budget is None:
        return tuple(sorted(doses))
    return tuple(sorted({dose for dose in doses if dose < budget} | {budget}))


def fitted(task: Task, plugin: Any, scene: Scene, rng: Draws, doses: tuple[float, ...], started: float) -> Twins:
    """All twins, repeat by repeat, so that a cut-off run still has complete repeats.

    `Unsupported` where two fits on the same rows with the same seed differ and the model is not declared stochastic.
    """
    twins, train = Twins(), scene.train
    if train is None or scene.fit is None:
        return twins
    for repeat in range(task.sizes.repeats):
        spent = clock() - started
        if repeat and spent + spent / repeat > task.seconds:
            break
        recipe = Recipe(seed=rng.integer(repeat))
        clean = scene.fit([train], recipe)[0]
        twins.clean.append(clean.scores(scene.x))
        if not repeat:
            _same_again(scene, train, recipe, twins.clean[0])
        for at, share in enumerate(doses):
            budget = replace(scene.budget, share=share)
            made = plugin.run(None, replace(scene, budget=budget), rng.child(f"repeat {repeat}"))
            rows = _rows(made, train)
            if rows in [twins.rows[other] for other in doses[:at] if other in twins.rows]:
                continue  # a capped dose is the same poison as the one before it
            twins.rows[share] = rows
            _add(twins, share, made, clean, scene, recipe)
            scene.progress((repeat + (at + 1) / len(doses)) / task.sizes.repeats)
    return twins


def _rows(made: Any, train: Data) -> int:
    """Training rows that were added or changed."""
    if isinstance(made, Backdoored):
        return made.rows
    return int(np.count_nonzero(np.asarray(made.y) != np.asarray(train.y)))


def _add(twins: Twins, share: float, made: Any, clean: Any, scene: Scene, recipe: Recipe) -> None:
    """Fit the poisoned twin of one dose and ask both twins what is to be judged."""
    data = made.data if isinstance(made, Backdoored) else made
    if scene.fit is None:
        return
    twin = scene.fit([data], recipe)[0]
    twins.poisoned.setdefault(share, []).append(twin.scores(scene.x))
    if not isinstance(made, Backdoored):
        return
    stamped = twins.stamped.setdefault(share, Stamped())
    marked = made.trigger.stamp(scene.x)
    stamped.landed.append(made.landed(scene.ids, scene.x, marked))
    stamped.clean.append(clean.scores(marked))
    stamped.poisoned.append(twin.scores(marked))
    stamped.made.append(made)


def _same_again(scene: Scene, train: Data, recipe: Recipe, first: Any) -> None:
    """Refuse a fit that is not repeatable and does not say so: its noise would read as poison."""
    if scene.fit is None or scene.target is None or scene.target.stochastic:
        return
    apart = float(np.max(np.abs(np.asarray(scene.fit([train], recipe)[0].scores(scene.x)) - np.asarray(first))))
    if not apart <= _ALIKE:
        raise Unsupported(
            f"two fits on the same rows with the same seed differ by up to {apart:.2g}, so poison cannot be told from "
            "chance; make the fit repeatable, or declare the model `stochastic: true` to have its spread measured",
        )
