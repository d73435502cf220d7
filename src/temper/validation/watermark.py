"""How well a mark is known again, and how often a model that was never copied is taken for a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement
from temper.core.seed import Draws
from temper.core.target import Recipe
from temper.kernels.rate import measure_rate
from temper.targets.marked import Marked
from temper.validation._measured import not_applicable

NAME = "watermark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """The share of a mark's triggers that the model answers as taught, and how many independent models would be called
    copies of it.

    A copy is what matches `level` of the triggers or more; `models` independent ones are tried, fitted without the mark
    on random halves of the training rows, which makes them likelier to agree than a stranger's. Misleads as a proof: a
    match says that an answer was taught, not by whom; twenty models without a false claim leave room for one in seven.
    Source: Adi et al., "Turning your weakness into a strength: watermarking deep neural networks by backdooring", 2018;
    Szyller et al., "On the robustness of dataset inference", 2023.

    >>> Watermark(models=40).level
    0.3
    """

    models: int = 20
    level: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.models < 20 or not 0 < self.level <= 1:
            raise TemperError(
                f"watermark compares {self.models} models at a level of {self.level:g}",
                fix="use twenty models or more and a level in (0, 1]",
            )

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`match` and `false_claims`."""
        target, train = scene.target, scene.train
        if not isinstance(target, Marked):
            return not_applicable(NAME, "the model carries no mark (hardening.watermark makes one)")
        if train is None or not len(train):
            return not_applicable(NAME, "independent models are fitted on training rows, and there are none")
        own = target.matches(target, scene.threshold)
        agreed = [self._independent(scene, target, train, at) for at in range(self.models)]
        called = sum(share >= self.level for share in agreed)
        return (
            measure_rate(
                NAME,
                "match",
                int(own.sum()),
                len(own),
                better=Better.HIGHER,
                baseline=(
                    ("independent models, mean", float(np.mean(agreed))),
                    ("largest", float(np.max(agreed))),
                ),
                caveats=("a copy by natural rows carries hardly any of it",),
            ),
            measure_rate(
                NAME,
                "false_claims",
                called,
                self.models,
                better=Better.LOWER,
                caveats=(f"a claim takes {self.level:.0%} of {len(own)} triggers; it is no proof of theft",),
            ),
        )

    def _independent(self, scene: Scene, target: Marked, train: Data, at: int) -> float:
        """The share of triggers on which a model agrees that never saw one."""
        half = Draws(self.seed, NAME).generator(at).permutation(len(train))[: len(train) // 2]
        model: Any = target.plain(train.take(np.sort(half)), Recipe(seed=at))
        scene.progress((at + 1) / self.models)
        return float(target.matches(model, scene.threshold).mean())


PLUGIN = Watermark
