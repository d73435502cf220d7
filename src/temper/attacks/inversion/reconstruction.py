"""What does a member of a class look like, from the weights of a net alone?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.judges.nearness import Reconstructions
from temper.kernels.slope import Aim, climb, logits

Vector = np.ndarray[Any, Any]
_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-12
_AWAY = 0.05  # starting points differ by so much of a column's range


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """Climbs from an average input to the one that a net is surest is of a class, by its gradient (Adam in place of
    plain descent); `starts` times for each of at most `classes` classes.

    What comes out is a prototype of the class, not a record, unless a class is one person or a few rows were learned by
    heart: the judge measures which, by the nearest training record beside the nearest held-out one. Misleads on tables,
    where a prototype tells little. Starts at the mean of held-out rows: an attacker knows what inputs look like.
    Source: Fredrikson, Jha & Ristenpart, "Model inversion attacks that exploit confidence information", 2015 (MIFace).

    >>> Reconstruction(starts=2).starts
    2
    """

    needs: ClassVar[Access] = Access.SCORES | Access.GRADIENTS
    gives: ClassVar[type[Reconstructions]] = Reconstructions
    steps: int = 300
    rate: float = 0.02
    starts: int = 8
    classes: int = 20

    def __post_init__(self) -> None:
        if self.steps < 1 or self.starts < 1 or self.classes < 1 or not 0.0 < self.rate < 1.0:
            raise TemperError(f"{self} cannot be meant", fix="steps, starts and classes from 1, rate in (0, 1)")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Reconstructions:
        """Reconstructions (n, ...) with the class wanted of each."""
        if scene.train is None or scene.target is None:
            raise TemperError("model inversion needs the target and its training rows to compare with")
        kinds, count = np.unique(scene.y, return_counts=True)
        kinds = np.sort(kinds[np.argsort(-count, kind="stable")[: self.classes]])
        wanted = np.repeat(kinds, self.starts).astype(np.int64)
        known = np.asarray(scene.x, dtype=float)
        low, high = _ends(scene, known)
        middle = np.nan_to_num(np.nanmean(known, axis=0))
        noise = _AWAY * (high - low) * rng.normal(np.arange(len(wanted)), 0, known.shape[1:])
        start = np.clip(middle + noise, low, high)
        found, confidence = self._climbed(scene, scene.target, start, wanted, (low, high))
        if not np.isfinite(found).all():
            raise Unsupported("the net's gradient is not finite, so it cannot be followed")
        return Reconstructions(
            x=found, start=start, wanted=wanted, confidence=confidence, queries=len(wanted) * (self.steps + 1)
        )

    def _climbed(
        self, scene: Scene, target: Target, start: Vector, wanted: Vector, ends: tuple[Vector, Vector]
    ) -> tuple[Vector, Vector]:
        """Where the ascent ends, and how sure the net is of it (n,)."""
        aim, native = Aim(kind=scene.kind, even=False), getattr(target, "native", lambda x: x)
        x, classes, low, high = native(start), _like(wanted, native(start)), *map(native, ends)
        pace = self.rate * (high - low)
        first = second = x * 0
        for step in range(1, self.steps + 1):
            _, slope = target.gradient(x, lambda scores: climb("ce", scores, classes, aim, rival=classes)[1])
            first = _FIRST * first + (1.0 - _FIRST) * slope
            second = _SECOND * second + (1.0 - _SECOND) * slope * slope
            move = (first / (1.0 - _FIRST**step)) / ((second / (1.0 - _SECOND**step)) ** 0.5 + _TINY)
            x = (x + pace * move).clip(low, high)
            if step % 20 == 0:
                scene.progress(step / (self.steps + 1))
        ended = _plain(x)
        z = logits(np.asarray(_plain(target.scores(x)), dtype=float), scene.kind)
        grown = np.exp(z - z.max(axis=1, keepdims=True))
        return ended, np.asarray((grown / grown.sum(axis=1, keepdims=True))[np.arange(len(wanted)), wanted])


def _ends(scene: Scene, known: Vector) -> tuple[Vector, Vector]:
    """The box the ascent stays in: the schema's, or what held-out rows show of a column."""
    if scene.schema.columns or not np.isfinite([scene.schema.low, scene.schema.high]).all():
        return np.nan_to_num(np.nanmin(known, axis=0)), np.nan_to_num(np.nanmax(known, axis=0))
    shape = known.shape[1:]
    return np.full(shape, float(scene.schema.low)), np.full(shape, float(scene.schema.high))


def _like(wanted: Vector, x: Any) -> Any:
    """Class numbers on the device of `x`."""
    if isinstance(x, np.ndarray):
        return wanted
    import torch

    return torch.as_tensor(wanted, device=x.device)


def _plain(x: Any) -> Vector:
    return np.asarray(x if isinstance(x, np.ndarray) else x.detach().cpu().numpy(), dtype=float)


PLUGIN = Reconstruction
