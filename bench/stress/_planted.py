"""A weakness planted under one corruption, and a sound twin, through the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.engine.corruptions import means
from temper.engine.run_task import execute
from temper.engine.task import Sizes, Task, World
from temper.targets.load import open_target

Model = Callable[[Any], Any]
_SIZES = Sizes(replicates=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Made-up rows by seed, a sound model of them, and what a detector of corruptions looks at."""

    family: str
    rows: Callable[[int], Data]
    sound: Model
    features: Callable[[Any], Any]
    schema: Schema

    @property
    def names(self) -> tuple[str, ...]:
        """The corruptions of the family."""
        return tuple(name for name in Room("temper.stress").names() if name.startswith(f"{self.family}."))


def detector(ground: Ground) -> Any:
    """A forest that tells which corruption a row went through, from rows and draws that no trial uses."""
    from sklearn.ensemble import RandomForestClassifier

    data, xs, ys = ground.rows(10_000), [], []
    for at, name in enumerate(ground.names):
        for severity in (2, 3, 4, 5):
            out = _built(ground, name).apply(data.x, severity, Draws(10_000, name, data.ids))
            xs.append(ground.features(out))
            ys.append(np.full(len(data), at))
    xs += [ground.features(data.x)] * 4
    ys += [np.full(len(data), -1)] * 4
    return RandomForestClassifier(80, random_state=0, n_jobs=1).fit(np.concatenate(xs), np.concatenate(ys))


def weakened(ground: Ground, forest: Any, which: int) -> Model:
    """The sound model, turned round wherever the forest sees this corruption."""

    def scores(x: Any) -> Any:
        right = ground.sound(x)
        seen = forest.predict(ground.features(x)) == which
        return np.where(seen[:, None], right[:, ::-1], right)

    return scores


def trial(ground: Ground, model: Model, seed: int) -> tuple[str, int]:
    """(the corruption ranked first, findings) of one assessment on fresh rows."""
    data = ground.rows(seed)
    target = open_target(model, kind=ScoreKind.PROBABILITIES, classes=2)
    system = Protected(
        name="planted", target=target, data=data, train=None, schema=ground.schema, threshold=0.5, version="1"
    )
    rows = np.arange(len(data))
    world = World(system=system, sizes=_SIZES, seed=seed, attacked=rows, held_out=rows)
    parts = [execute(Task(room="stress", plugin=name, seed=seed, sizes=_SIZES), world) for name in ground.names]
    measured = [m for part in parts for m in part.measurements]
    worst = next(m for m in means(measured) if m.metric == "worst_loss")
    return worst.slice.removeprefix("corruption:"), sum(len(part.findings) for part in parts)


def campaign(ground: Ground, trials: int) -> tuple[int, int, Sequence[tuple[str, str]]]:
    """(trials that ranked the planted corruption first, sound twins with a finding, the misses)."""
    forest, hits, loud, misses = detector(ground), 0, 0, []
    for seed in range(trials):
        which = int(Draws(seed, "planted").integers([0], 0, len(ground.names))[0])
        planted = ground.names[which].partition(".")[2]
        first, _ = trial(ground, weakened(ground, forest, which), seed)
        hits += first == planted
        loud += trial(ground, ground.sound, seed)[1] > 0
        if first != planted:
            misses.append((planted, first))
    return hits, loud, misses


def _built(ground: Ground, name: str) -> Any:
    options = {"schema": ground.schema} if ground.family == "image" else {}
    return Room("temper.stress").build(name, options)
