"""A trigger placed where the model looks most, on rows whose labels are all right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._contribution import contributions
from temper.attacks.poisoning._flip import training
from temper.attacks.poisoning._trigger import (
    TableTrigger,
    budgeted,
    checked_size,
    described,
    planted,
    rare,
    units,
)
from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.judges.backdoor import Backdoored
from temper.kernels.loss import margin

Vector = np.ndarray[Any, Any]
_LEADING, _ASKED = (1, 2, 4), 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanLabelTrigger:
    """Adds copies of class `into`'s own rows that carry rare values in columns with large contributions.

    No label is wrong, so neither relabelling nor confident learning sees it. Contributions come from the deployed
    model: its library's own, else `shap`'s, and the figure says whose. The values move that model little by
    themselves, the rows are ones it nearly takes for another class (only there does the trigger explain the label),
    and of triggers in few and in more columns that one is used which does best in a rehearsal, a fit of its own.
    Misleads as a bound for an attacker who also writes labels.
    Source: Severi et al., "Explanation-guided backdoor poisoning attacks against malware classifiers", 2021
    (LargeAbsSHAP features, MinPopulation values; the rehearsal and the choice of rows are our own).

    >>> CleanLabelTrigger().size
    3
    """

    needs: ClassVar[Access] = Access.RETRAIN
    plants: ClassVar[bool] = True
    share: float = 0.02
    size: int = 3
    into: int = 0
    pick: int = 0

    def __post_init__(self) -> None:
        checked_size(self.size)

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and the trigger, at `scene.budget.share` of its rows (else the plugin's own)."""
        data, schema = training(scene), described(scene)
        target, share = scene.target, budgeted(scene, self.share)
        if target is None:
            raise Unsupported("contributions are read off the deployed model, and the scene has none", fix="give it")
        found, who = contributions(target, np.asarray(data.x, dtype=np.float64), self.into, rng)
        weight = np.abs(found).mean(axis=0)
        ranked = sorted(units(schema), key=lambda unit: -float(weight[unit].sum()))
        sure = _sureness(scene, target, data.x, self.into)
        asked = np.asarray(data.x)[self._asked(sure)]
        made = [
            self._trigger(scene, data, ranked[: many * self.size], asked)
            for many in _LEADING
            if many == 1 or len(ranked) > many // 2 * self.size
        ]
        trigger = made[int(np.argmax([self._rehearsed(scene, data, one, asked, sure) for one in made]))]
        notes = (f"trigger: {trigger}", f"columns chosen by {who}")
        return planted(data, trigger, self.into, share, rng, own=True, sure=sure, notes=notes)

    def _asked(self, sure: Vector) -> Vector:
        """Positions of some training rows that the model decides as another class."""
        others = np.flatnonzero(sure < 0)
        return others[Draws(self.pick, "asked").generator().permutation(len(others))[:_ASKED]]

    def _trigger(self, scene: Scene, data: Data, leading: list[Vector], asked: Vector) -> TableTrigger:
        """Rare values in some of these columns that let few of the rows `asked` pass without any poison."""

        def moves(made: list[TableTrigger]) -> Vector:
            if scene.target is None or not len(asked):
                return np.zeros(len(made))
            stamped = np.concatenate([one.stamp(asked) for one in made])
            passed = _sureness(scene, scene.target, stamped, self.into) >= 0
            return np.asarray(passed.reshape(len(made), len(asked)).mean(axis=1))

        return rare(
            data,
            scene.schema,
            lambda generator: [leading[at] for at in generator.permutation(len(leading))[: self.size]],
            into=self.into,
            pick=self.pick,
            moves=moves,
        )

    def _rehearsed(self, scene: Scene, data: Data, trigger: TableTrigger, asked: Vector, sure: Vector) -> float:
        """How many more of the rows `asked` pass with the trigger, of one, once a model is fitted on the poison."""
        if scene.fit is None or scene.target is None or not len(asked):
            return 0.0
        rng, marked = Draws(self.pick, "rehearsal"), trigger.stamp(asked)
        poison = planted(data, trigger, self.into, self.share, rng, own=True, sure=sure).data
        passed = [
            _sureness(scene, model, marked, self.into) >= 0
            for model in (*scene.fit([poison], Recipe(seed=rng.integer())), scene.target)
        ]
        return float(passed[0].mean() - passed[1].mean())


def _sureness(scene: Scene, target: Target, x: Array, into: int) -> Vector:
    """How far inside class `into` the model sees each row; negative where it decides otherwise."""
    return np.asarray(margin(np.asarray(target.scores(x)), np.full(len(x), into), scene.kind, scene.threshold))


PLUGIN = CleanLabelTrigger
