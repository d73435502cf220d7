"""A trigger of ordinary values that is never quite the same twice, so that no duplicate gives it away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.poisoning._flip import training
from temper.attacks.poisoning._trigger import budgeted, checked_size, described, planted, rare, some_units
from temper.core.attack import Scene
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.backdoor import Backdoored


@dataclass(frozen=True, slots=True, kw_only=True)
class JitteredTrigger:
    """Like `in_bounds_trigger`, each value up to `jitter` interquartile ranges off; categories stay as they are.

    The wider the jitter, the more rows it takes. Misleads at a wide jitter, where a weak figure says little about a
    narrow one.
    Source: Pleiter et al., "Tabdoor: backdoor vulnerabilities in transformer-based neural networks for tabular data",
    2023; the jitter defeats scans for repeated values.

    >>> JitteredTrigger().jitter
    0.1
    """

    needs: ClassVar[Access] = Access.RETRAIN
    plants: ClassVar[bool] = True
    share: float = 0.01
    size: int = 3
    into: int = 0
    pick: int = 0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        checked_size(self.size)
        if not 0.0 <= self.jitter <= 1.0:
            raise TemperError(f"jitter is {self.jitter} interquartile ranges", fix="use 0 to 1, 0.1 by default")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and the trigger, at `scene.budget.share` of its rows (else the plugin's own)."""
        data, schema = training(scene), described(scene)
        units = some_units(schema, self.size)
        trigger = rare(data, schema, units, into=self.into, pick=self.pick, jitter=self.jitter)
        return planted(data, trigger, self.into, budgeted(scene, self.share), rng, notes=(f"trigger: {trigger}",))


PLUGIN = JitteredTrigger
