"""How a fresh model of the same family is fitted: the target's own way, or Temper's training loop for a net."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.hardening._training import Batch, Course, net_of, train
from temper.targets.torch import Torch

Fit = Callable[[Data, Recipe], Target]
_BATCH, _RATE, _STEPS, _FEWEST, _MOST = 64, 2e-3, 800, 8, 60


def fit_of(target: Target) -> Fit:
    """Fits a model like `target`; a torch net, which cannot say how it was trained, from new weights by Adam."""
    return partial(_net, target) if _bare(target) else target.refit


def fits(target: Target) -> bool:
    """Whether there is a way at all."""
    return Access.RETRAIN in target.access or _bare(target)


def trained_here(target: Target | None) -> bool:
    """Whether Temper's own loop stands for the user's training."""
    return target is not None and _bare(target)


def _bare(target: Target) -> bool:
    return isinstance(target, Torch) and Access.RETRAIN not in target.access


def _net(target: Target, data: Data, recipe: Recipe) -> Target:
    """New weights, trained until they have seen about as many batches as a small net takes to settle."""
    if recipe.monotone or recipe.regularise or recipe.changes:
        raise Unsupported("a torch net is fitted as it is, without constraints", fix="use a defence made for nets")
    net = net_of(target, data, "a fresh net")
    epochs = min(max(math.ceil(_STEPS * _BATCH / len(data)), _FEWEST), _MOST)
    course = Course(epochs=epochs, batch=_BATCH, rate=_RATE, fresh=True)
    return train(net, data, Draws(recipe.seed, "engine.fitting"), course, _lesson)


def _lesson(batch: Batch) -> Iterator[Any]:
    batch.learning()
    yield batch.loss(batch.x)
