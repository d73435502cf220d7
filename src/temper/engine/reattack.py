"""Attack a hardened model from scratch, on the same rows with the same budget, so that before and after are paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.engine.adaptive import pressed
from temper.engine.doubt import doubts_of
from temper.engine.effect import Evaluation
from temper.engine.harden import same_alert_rate
from temper.engine.plan import decisions
from temper.engine.rooms.evasion import bounded
from temper.engine.strike import strike
from temper.engine.task import Task, World
from temper.targets.oracle import Evidence

_INNER = 400
_DECISIVE = 3
_SPARE, _FEWEST = 5, 30
_INSIDE = Access.TREES | Access.GRADIENTS


def deciding(tasks: Sequence[Task], plugin: str = "") -> list[Task]:
    """The evasions a defence is judged by: those with a ball, for a sticker breaks whatever the weights are; or the one
    named `plugin` where it has none.
    """
    evasions = [task for task in tasks if task.family == "evasion"]
    own = [task for task in evasions if task.plugin == plugin and not bounded(task.budget)]
    return own or [task for task in evasions if bounded(task.budget)] or evasions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reattack:
    """`tasks`: the evasion tasks of the plan; their rows are attacked however the new model judges them."""

    world: World
    tasks: Sequence[Task]

    def __call__(self, target: Target, threshold: float | None) -> Evaluation:
        """Which rows each evasion breaks (a row judged wrongly without any attack counts), and the held-out scores."""
        system = replace(self.world.system, target=target, threshold=threshold)
        world = replace(self.world, system=system)
        rows = self.world.attacked
        wrong = decisions(system, system.data.x[rows]) != np.asarray(system.data.y)[rows]
        broken = {}
        for name, attack in self._attacks().items():
            if hidden := attack.needs & ~target.access:
                raise Unsupported(
                    f"the hardened model hides its {hidden.words()}, so that {name} cannot attack it as it did before",
                    fix="judged by weaker attacks alone it would look strong: assess it by itself",
                )
            task = next(task for task in self.tasks if task.plugin == name)
            scene = world.scene(task, rows, mode="first", reference=world.others())
            found = pressed(attack, target, scene, task.seed, task.plugin)
            self._believed(found, name, target)
            broken[name] = (found.verdicts == "broken") | wrong
        held_out = system.data.take(self.world.held_out)
        return Evaluation(broken=broken, scores=target.scores(held_out.x), y=np.asarray(held_out.y))

    def _believed(self, found: Evidence, name: str, target: Target) -> None:
        """Raise `Unsupported` where gradients alone judge a hardened model and cannot be trusted on it."""
        blind = all(attack.needs & Access.GRADIENTS for attack in self._attacks().values())
        if target is self.world.system.target or not blind:
            return
        told = {"verdicts": found.verdicts} | {f"note_{note}": values for note, values in found.notes.items()}
        if doubts := doubts_of(name, told):
            raise Unsupported(f"{name} cannot judge the hardened model: {doubts[0]}", fix="let an actor ask for scores")

    def decisive(self) -> Reattack:
        """The few attacks that together break every row that any of them breaks on the system as it is.

        Among them the strongest that knows the model inside, and the strongest that asks for answers alone: it sees
        through a defence that only hides what the first one follows. A dozen defences against a dozen attacks each
        would take hours; the model that is taken is assessed with all.
        """
        if len(self.tasks) < 2:
            return self
        broken = self(self.world.system.target, self.world.system.threshold).broken
        attacks = self._attacks()
        inside = [name for name in broken if attacks[name].needs & _INSIDE]
        asking = [name for name in broken if name not in inside]

        def strength(name: str) -> tuple[int, bool]:  # of equals the one that leaves a broken row alone is quicker
            return int(broken[name].sum()), getattr(attacks[name], "mode", "") == "first"

        names = [max(part, key=strength) for part in (inside, asking) if part]
        left = np.logical_or.reduce(list(broken.values()))
        while (left := left & ~np.logical_or.reduce([broken[name] for name in names])).any() and len(names) < _DECISIVE:
            names.append(max(broken, key=lambda name: int((broken[name] & left).sum())))
        return replace(self, tasks=[task for task in self.tasks if task.plugin in names])

    def elsewhere(self) -> Reattack | None:
        """The same attacks on as many other rows that the system as it is judges rightly; None where few are left."""
        system, attacked = self.world.system, self.world.attacked
        y = np.asarray(system.data.y)
        rows = np.setdiff1d(np.flatnonzero(y == 1) if system.target.classes == 2 else np.arange(len(y)), attacked)
        rows = Draws(self.world.seed, "elsewhere").generator().permutation(rows)[: _SPARE * len(attacked)]
        if system.target.kind is not ScoreKind.VALUE:
            rows = rows[decisions(system, system.data.x[rows]) == y[rows]]
        rows = np.sort(rows[: len(attacked)])
        return replace(self, world=replace(self.world, attacked=rows)) if len(rows) >= _FEWEST else None

    def _attacks(self) -> dict[str, Any]:
        """The attacks of the tasks by their names, without those that the system as it is does not allow."""
        room, access = self.world.room("attacks"), self.world.system.target.access
        built = {task.plugin: room.build(task.plugin, dict(task.options)) for task in self.tasks[::-1]}
        return {name: built[name] for name in reversed(built) if not built[name].needs & ~access}

    def inner(self, target: Target, data: Data) -> Data:
        """Adversarial rows of training data with their true labels, by an attack that knows the model if one does."""
        own = self.world.system
        threshold = same_alert_rate(own.target, own.threshold, target, data.x)  # where the model will be used
        system = replace(own, target=target, data=data, threshold=threshold)
        world = replace(self.world, system=system)
        known = [name for name, attack in self._attacks().items() if attack.needs & _INSIDE]
        task = next((task for task in self.tasks if task.plugin in known), self.tasks[0])
        y = np.asarray(data.y)
        rows = np.flatnonzero(y == 1) if target.classes == 2 else np.arange(len(y))
        rows = rows[Draws(self.world.seed, "inner").generator().permutation(len(rows))][:_INNER]
        rows = np.sort(rows[decisions(system, data.x[rows]) == y[rows]])
        attack = world.room("attacks").build(task.plugin, dict(task.options))
        found = strike(attack, target, world.scene(task, rows, mode="first"), task.seed, task.plugin)
        broken = found.verdicts == "broken"
        return Data(x=found.x_adv[broken], y=y[rows][broken], ids=data.ids[rows][broken])
