"""A trigger placed where the model looks most, on rows whose labels are all right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._contribution import contributions
from temper.attacks.poisoning._flip import training
from temper.attacks.poisoning._trigger import budgeted, checked_size, described, planted, rare, units
from temper.core.attack import Scene
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.backdoor import Backdoored


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanLabelTrigger:
    """Adds copies of class `into`'s own rows that carry rare values in the columns with the largest contributions.

    No label is wrong, so neither relabelling nor confident learning sees it. Contributions come from the deployed
    model: its library's own, else `shap`'s, and the figure says whose. Takes more rows than a wrong label does;
    misleads as a bound for an attacker who also writes labels.
    Source: Severi et al., "Explanation-guided backdoor poisoning attacks against malware classifiers", 2021
    (LargeAbsSHAP features with MinPopulation values).

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
        if scene.target is None:
            raise Unsupported("contributions are read off the deployed model, and the scene has none", fix="give it")
        found, who = contributions(scene.target, np.asarray(data.x, dtype=np.float64), self.into, rng)
        weight = np.abs(found).mean(axis=0)
        best = sorted(units(schema), key=lambda unit: -float(weight[unit].sum()))[: self.size]
        trigger = rare(data, schema, lambda generator: best, into=self.into, pick=self.pick)
        notes = (f"trigger: {trigger}", f"columns chosen by {who}")
        return planted(data, trigger, self.into, budgeted(scene, self.share), rng, own=True, notes=notes)


PLUGIN = CleanLabelTrigger
