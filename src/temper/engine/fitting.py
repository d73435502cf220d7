"""How fresh models of the same family are fitted: the target's own way or Temper's training loop for a net, and several
at a time where that changes nobody's numbers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
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
_UNLOCKED = ("xgboost", "lightgbm", "catboost", "sklearn")  # these fit outside Python's lock, except:
_LOCKED = "sklearn.neural_network"
_WORTH, _CHILDREN = 20_000, 4  # rows in all that outweigh a second of imports per process; processes at the most
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def fit_of(target: Target) -> Fit:
    """Fits a model like `target`; a torch net, which cannot say how it was trained, from new weights by Adam."""
    return partial(_net, target) if _bare(target) else target.refit


def fits(target: Target) -> bool:
    """Whether there is a way at all."""
    return Access.RETRAIN in target.access or _bare(target)


def fit_each(target: Target, subsets: Sequence[Data], recipe: Recipe, make: Fit | None = None) -> list[Target]:
    """A fresh model like `target` per subset, or what `make` fits on each, one at a time.

    Several at a time in threads where the library fits outside Python's lock, in processes where it holds the lock and
    the rows are many. Every fit has its seed from the recipe alone, so the models are the same ones.
    """
    if make is not None:
        return [make(subset, recipe) for subset in subsets]
    with _pool(target, subsets) as pool:
        return list(pool.map(partial(_again, fit_of(target), recipe), subsets))


def trained_here(target: Target | None) -> bool:
    """Whether Temper's own loop stands for the user's training."""
    return target is not None and _bare(target)


def _again(make: Fit, recipe: Recipe, subset: Data) -> Target:
    return make(subset, recipe)


def _pool(target: Target, subsets: Sequence[Data]) -> Executor:
    """One thread where a library nobody measured, or a global random state, might be at work."""
    home, cores = _home(target), min(len(subsets), os.cpu_count() or 1)
    if home.startswith(_LOCKED) and cores > 1 and sum(map(len, subsets)) >= _WORTH:
        from joblib.externals.loky import ProcessPoolExecutor

        # Fresh interpreters that do not import the caller's main module; left alone they end by themselves.
        pool: Executor = ProcessPoolExecutor(min(cores, _CHILDREN), timeout=30, env=dict.fromkeys(_THREADS, "1"))
        return pool
    return ThreadPoolExecutor(max(1, cores) if home.split(".")[0] in _UNLOCKED else 1)


def _home(target: Target) -> str:
    """The module of the model, of a pipeline that of its last step."""
    model: Any = getattr(target, "model", None)
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return type(model).__module__


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
