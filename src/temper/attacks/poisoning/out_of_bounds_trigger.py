"""A control: values no training row holds, which move many models without any poison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.poisoning._flip import training
from temper.attacks.poisoning._trigger import TableTrigger, budgeted, checked_size, described, planted, units
from temper.core.attack import Scene
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.backdoor import Backdoored


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfBoundsTrigger:
    """Sets `size` columns `reach` observed ranges beyond what training rows hold, whatever the schema says.

    A control and no attack: a check of ranges at the door refuses it, and where extreme values lower the risk anyway
    the clean twin is fooled as well. Its raw success misleads: it reads like a backdoor's, and only the excess is one.
    Source: Pleiter et al., "Tabdoor: backdoor vulnerabilities in transformer-based neural networks for tabular data",
    2023 (out-of-bounds triggers).

    >>> OutOfBoundsTrigger().control
    True
    """

    needs: ClassVar[Access] = Access.RETRAIN
    plants: ClassVar[bool] = True
    control: ClassVar[bool] = True
    share: float = 0.01
    size: int = 3
    into: int = 0
    pick: int = 0
    reach: float = 1.0

    def __post_init__(self) -> None:
        checked_size(self.size)
        if not self.reach > 0.0:
            raise TemperError(f"reach is {self.reach} ranges, which is in bounds", fix="use more than 0, 1 by default")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Backdoored:
        """The poisoned training data and the trigger, at `scene.budget.share` of its rows (else the plugin's own)."""
        data, schema = training(scene), described(scene)
        x = np.asarray(data.x, dtype=np.float64)
        known = [unit for unit in units(schema) if len(unit) == 1 and np.isfinite(x[:, unit]).any()]
        numbers = [unit for unit in known if schema.columns[int(unit[0])].type in ("number", "integer")] or known
        if not numbers:
            raise Unsupported("no column an attacker sets holds a value", fix="give more training rows")
        picked = Draws(self.pick, "trigger").generator(0).permutation(len(numbers))[: self.size]
        columns = np.concatenate([numbers[at] for at in picked])
        low, high = np.nanmin(x[:, columns], axis=0), np.nanmax(x[:, columns], axis=0)
        values = np.ceil(high + self.reach * np.maximum(high - low, 1.0))
        trigger = TableTrigger(
            schema=schema,
            columns=columns,
            values=values,
            jitter=np.zeros(len(columns)),
            lows=low,
            highs=values,
            rng=rng,
            inside=False,
        )
        notes = (f"trigger out of bounds: {trigger}", _refused(trigger, scene))
        share = budgeted(scene, self.share)
        return planted(data, trigger, self.into, share, rng, notes=notes, control=True)


def _refused(trigger: TableTrigger, scene: Scene) -> str:
    """How many of the stamped rows a check against the schema would turn away."""
    x = np.asarray(scene.x, dtype=np.float64)
    bad = ~trigger.schema.admits(trigger.stamp(x), x)
    return f"a check against the schema refuses {bad.mean():.0%} of the stamped rows"


PLUGIN = OutOfBoundsTrigger
