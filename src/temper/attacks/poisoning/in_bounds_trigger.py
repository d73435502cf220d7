"""A fixed trigger of ordinary values that hardly ever occur together, on rows labelled as the attacker wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.poisoning._flip import training
from temper.attacks.poisoning._trigger import budgeted, checked_size, described, planted, rare, some_units
from temper.core.attack import Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.backdoor import Backdoored


@dataclass(frozen=True, slots=True, kw_only=True)
class InBoundsTrigger:
    """Adds copies of other classes' rows that carry `size` chosen values and the label `into`.

    Every value is one that training rows hold, in a column the schema lets an attacker set; only the combination is
    rare, so no check of single columns sees it. Misleads where the attacker cannot choose labels: see
    `clean_label_trigger`.
    Source: Pleiter et al., "Tabdoor: backdoor vulnerabilities in transformer-based neural networks for tabular data",
    2023 (in-bounds triggers).

    >>> InBoundsTrigger(size=2).into
    0
    """

    needs: ClassVar[Access] = Access.RETRAIN
    plants: ClassVar[bool] = True
    share: float = 0.01
    size: int = 3
    into: int = 0
    pick: int = 0

    def __post_init__(self) -> None:
        checked_size(self.size)

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and the trigger, at `scene.budget.share` of its rows (else the plugin's own)."""
        data, schema = training(scene), described(scene)
        trigger = rare(data, schema, some_units(schema, self.size), into=self.into, pick=self.pick)
        return planted(data, trigger, self.into, budgeted(scene, self.share), rng, notes=(f"trigger: {trigger}",))


PLUGIN = InBoundsTrigger
