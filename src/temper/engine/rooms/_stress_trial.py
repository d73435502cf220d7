"""One stressor on one set of rows, and how the model is asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.target import Target
from temper.engine.task import Task, World
from temper.stress._drop import Yardstick

GATED = 3  # the severity whose figures requirements speak of
_CELLS = 4_000_000  # numbers sent to the target in one call: 32 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One stressor on one set of rows: what it is called, the scores before, and the yardstick."""

    plugin: str
    stressor: Any  # a Stressor, and a dataclass
    scene: Scene
    target: Target
    clean: Array
    yardstick: Yardstick
    task: Task
    world: World

    @property
    def name(self) -> str:
        """What requirements refer to: "stress.missing"."""
        return f"stress.{self.plugin}"


def ask(target: Target, batches: Iterable[Array]) -> Iterator[Array | str]:
    """Scores per batch, or what went wrong with it; several batches share one call within a memory bound."""
    held: list[Array] = []
    for batch in batches:
        held.append(batch)
        if sum(part.size for part in held) + batch.size > _CELLS:
            yield from _together(target, held)
            held = []
    yield from _together(target, held)


def _together(target: Target, held: Sequence[Array]) -> list[Array | str]:
    if not held:
        return []
    if len(held) == 1:
        return [_one(target, held[0])]
    ends = np.cumsum([len(part) for part in held])[:-1]
    scores = _one(target, np.concatenate(held))
    if isinstance(scores, str):
        return [_one(target, part) for part in held]  # which of them is it?
    return list(np.split(scores, ends))


def _one(target: Target, x: Array) -> Array | str:
    try:
        scores = np.asarray(target.scores(x))
    except Exception as crash:  # whatever a model raises here is the result of the test
        return f"the model raised {type(crash).__name__}: {str(crash).splitlines()[0] if str(crash) else 'no message'}"
    lost = int((~np.isfinite(scores)).reshape((len(scores), -1)).any(axis=1).sum())
    return f"{lost:,} of {len(scores):,} rows got no finite score" if lost else scores
