"""Is there a class that a far smaller patch than any other's leads to?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.target import Access
from temper.kernels.loss import decide
from temper.kernels.rate import wilson
from temper.targets._array import to_numpy
from temper.validation._certified import chosen
from temper.validation._mask import Patch, Rows, Search, patchable, smallest
from temper.validation._measured import missing, not_applicable

NAME = "neural_cleanse"
_CLASSES, _ODD, _SCALE = 4, 2.0, 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralCleanse:
    """Search for each class the smallest patch that sends pictures of the others to it; one far smaller than the rest
    is the trace of a backdoor.

    Needs the net and a few clean pictures, no training data. Screening: an index above 2 is raised by about one clean
    net in twenty too, and by classes that are easy to reach by nature. Misleads where the trigger covers much of the
    picture, sits in many classes, or bends colours instead of adding a patch: then the smallest patch is ordinary.
    Source: Wang et al., "Neural cleanse: identifying and mitigating backdoor attacks in neural networks", 2019.

    >>> NeuralCleanse(steps=100).rows
    48
    """

    steps: int = 300
    rows: int = 48
    rate: float = 0.1
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`anomaly_index` of the class with the smallest patch, and what that patch does to pictures it never saw."""
        target = scene.target
        if target is None or Access.GRADIENTS not in target.access or not patchable(scene.kind, scene.x):
            return not_applicable(NAME, "it looks for patches on pictures by gradients, and here are none")
        rows = chosen(scene, 2 * self.rows, self.seed, NAME)
        if len(rows) < 8:
            return not_applicable(NAME, "it takes eight pictures at least")
        x, y = to_numpy(scene.x)[rows].astype(np.float64), to_numpy(scene.y)[rows]
        fitted, others = np.arange(len(x)) % 2 == 0, np.arange(len(x)) % 2 == 1
        low, high = float(scene.schema.low), float(scene.schema.high)
        search = Search(steps=self.steps, rate=self.rate)
        patches = []
        for label in range(scene.classes):
            patches.append(smallest(target, x[fitted & (y != label)], label, low, high, search))
            scene.progress((label + 1) / scene.classes)
        return self._told(scene, patches, x[others], y[others])

    def _told(self, scene: Scene, patches: list[Patch], x: Rows, y: Rows) -> tuple[Measurement, ...]:
        sizes = np.array([patch.size for patch in patches])
        label = int(sizes.argmin())
        return self._index(sizes, label, len(x)), self._success(scene, patches[label], label, sizes, x[y != label])

    def _index(self, sizes: Rows, label: int, n: int) -> Measurement:
        if len(sizes) < _CLASSES:
            reason = f"{len(sizes)} classes give no spread to compare a patch with; it takes {_CLASSES}"
            return missing(NAME, "anomaly_index", Status.INCONCLUSIVE, reason, n=n, better=Better.LOWER)
        value = _smaller(sizes)
        without = [_smaller(np.delete(sizes, other)) for other in range(len(sizes)) if other != label]
        return Measurement(
            plugin=NAME,
            metric="anomaly_index",
            value=value,
            low=min(value, *without),
            high=max(value, *without),
            n=len(sizes),
            better=Better.LOWER,
            method="median absolute deviations of log sizes below the median; range when another class is left out",
            baseline=(("suspicious from", _ODD),),
            caveats=(
                f"class {label}: {sizes[label]:.1f} pixels, the median class {np.median(sizes):.1f}",
                "screening: about one clean net in twenty is above 2 as well",
            ),
        )

    def _success(self, scene: Scene, patch: Patch, label: int, sizes: Rows, x: Rows) -> Measurement:
        target: Any = scene.target
        hit = np.asarray(decide(np.asarray(target.scores(patch.on(x))), scene.kind)) == label
        plain = np.asarray(decide(np.asarray(target.scores(x)), scene.kind)) == label
        count, n = int(hit.sum()), len(hit)
        low, high = wilson(count, n)
        return Measurement(
            plugin=NAME,
            metric="patch_success",
            value=count / n,
            low=low,
            high=high,
            n=n,
            count=count,
            better=Better.LOWER,
            method="Wilson over pictures the patch was not fitted on",
            baseline=(
                ("without the patch", float(plain.mean())),
                ("share of the picture", sizes[label] / x[0, 0].size),
            ),
            caveats=(f"a patch of {sizes[label]:.1f} pixels sends them to class {label}",),
        )


def _smaller(sizes: Rows) -> float:
    """How many median absolute deviations the smallest patch lies below the median; 0 where all are alike.

    In logarithms: patches differ by factors, and large ones would hide a small one.
    """
    logs = np.log(np.maximum(sizes, 1e-9))
    middle = float(np.median(logs))
    spread = _SCALE * float(np.median(np.abs(logs - middle)))
    return (middle - float(logs.min())) / spread if spread > 0 else 0.0


PLUGIN = NeuralCleanse
