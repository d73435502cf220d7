"""Laws of targets. A law is given an opened target and some rows (n, ...) of its own, six at least."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import SchemaError, Unsupported
from temper.core.target import Access, Recipe, ScoreKind, Target, TreeTarget
from temper.core.trees import TreeEnsemble
from temper.kernels import trees
from temper.kernels.loss import decide
from temper.testing.law import LawBroken, require

_RELATIVE, _ABSOLUTE = 1e-4, 1e-5
_STEPS = (1e-4, 1e-2)
_CUTS = 40


def law_one_finite_row_of_scores_each(target: Target, x: Array) -> None:
    """As many rows of scores as rows, as wide as the kind says, all finite; probabilities sum to one."""
    width = 1 if target.kind in (ScoreKind.MARGIN, ScoreKind.VALUE) else target.classes
    for n in (len(x), 1):
        scores = _scores(target, x[:n])
        require(scores.shape == (n, width), f"gives scores {scores.shape} for {n} rows, expected {(n, width)}")
        require(np.isfinite(scores).all(), "gives scores that are not finite")
    if target.kind is ScoreKind.PROBABILITIES:
        sums = _scores(target, x).sum(axis=1)
        require(np.allclose(sums, 1.0, atol=1e-3), f"gives probabilities that sum to {sums.min():.4g}")


def law_a_row_is_answered_alike_in_any_company(target: Target, x: Array) -> None:
    """A batch of n is n batches of one, and order changes nothing."""
    if target.stochastic:
        return
    whole = _scores(target, x)
    alone = np.concatenate([_scores(target, x[at : at + 1]) for at in range(len(x))])
    require(_close(whole, alone), "answers a row otherwise when it is asked alone")
    require(_close(whole, _scores(target, _turned(x))[::-1]), "answers rows otherwise in another order")


def law_is_deterministic_or_says_so(target: Target, x: Array) -> None:
    """The same rows get the same answers, or the target is declared stochastic."""
    if target.stochastic:
        return
    first = _scores(target, x)
    for _ in range(3):
        require(_close(first, _scores(target, x)), "answers otherwise when asked again, and does not say so")


def law_leaves_inputs_alone(target: Target, x: Array) -> None:
    """Asking changes nothing in the rows asked about."""
    given = _copied(x)
    target.scores(given)
    require(np.array_equal(_numpy(given), _numpy(x), equal_nan=True), "writes to the rows it is asked about")


def law_declared_access_works(target: Target, x: Array) -> None:
    """What the target says can be reached, can be reached."""
    require(Access.LABELS in target.access, "does not even declare labels")
    for access, door in _doors(target, x).items():
        if access in target.access:
            try:
                door()
            except Unsupported as refused:
                raise LawBroken(f"declares {access.words()} and refuses: {refused.message}") from refused


def law_undeclared_access_is_refused(target: Target, x: Array) -> None:
    """What it does not declare is refused with `Unsupported`, so that it can be skipped with a reason."""
    for access, door in _doors(target, x).items():
        if access in target.access:
            continue
        try:
            door()
        except Unsupported:
            continue
        except Exception as crash:
            raise LawBroken(f"crashes instead of refusing {access.words()}: {type(crash).__name__}") from crash
        raise LawBroken(f"does not declare {access.words()} and gives it")


def law_trees_are_the_model(target: Target, x: Array) -> None:
    """The arrays score every row as the target does, on either side of every cut too (some 40 a column)."""
    if Access.TREES not in target.access or not isinstance(target, TreeTarget):
        return
    ensemble = target.trees()
    rows = np.asarray(_numpy(x), dtype=float)
    require(ensemble.features == rows.shape[1], f"has trees over {ensemble.features} of {rows.shape[1]} columns")
    for at, asked in _beside_cuts(ensemble, rows):
        try:
            theirs = _scores(target, asked)
        except SchemaError:  # between two codes of a category lies nothing to ask
            continue
        own = trees.scores(ensemble, asked)
        require(own.shape == theirs.shape, f"has trees that score {own.shape} where it scores {theirs.shape}")
        worst = float(np.abs(own - theirs).max())
        require(_close(theirs, own), f"has trees that are {worst:.2g} away from its scores by column {at}")


def law_gradient_equals_finite_differences(target: Target, x: Array) -> None:
    """The vector-Jacobian product is the slope of the scores, and its scores are the scores."""
    if Access.GRADIENTS not in target.access:
        return
    few = x[:4]
    pull = np.random.Generator(np.random.Philox(key=2)).normal(size=_scores(target, few).shape)
    scores, slope = target.gradient(_copied(few), lambda given: _alike(pull, given))
    require(_close(_numpy(scores), _scores(target, few)), "gives other scores beside the gradient than without it")
    way = np.random.Generator(np.random.Philox(key=3)).normal(size=tuple(few.shape))
    stated = (np.asarray(_numpy(slope), dtype=float) * way).reshape((len(few), -1)).sum(axis=1)
    near = [_slope(target, few, way, pull, step) for step in _STEPS]
    wrong = [float(np.abs(stated - other).max() / (np.abs(other).max() + 1e-3)) for other in near]
    require(min(wrong) < 0.02, f"is {min(wrong):.0%} away from the slope of its own scores")


def law_survives_pickling(target: Target, x: Array) -> None:
    """A worker process gets the same target: same answers, same digest, same declarations."""
    try:
        back = pickle.loads(pickle.dumps(target))  # noqa: S301 - it was pickled by this process, one call earlier
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise LawBroken(f"cannot be sent to a worker: {error}") from error
    for name in ("name", "kind", "classes", "access", "stochastic", "digest"):
        require(getattr(back, name) == getattr(target, name), f"has another {name} after pickling")
    if not target.stochastic:
        require(_close(_scores(target, x), _scores(back, x)), "answers otherwise after pickling")


def law_refit_repeats_and_leaves_it_alone(target: Target, x: Array) -> None:
    """A refit gives a model of the same kind, the same one for the same rows and seed, and changes nothing here."""
    if Access.RETRAIN not in target.access:
        return
    before, data = _scores(target, x), _data(target, x)
    fresh = [target.refit(data, Recipe(seed=7)) for _ in range(2)]
    require(_close(before, _scores(target, x)), "answers otherwise after another model was fitted")
    require(fresh[0].kind is target.kind and fresh[0].classes == target.classes, "is refitted as another kind of model")
    require(_close(_scores(fresh[0], x), _scores(fresh[1], x)), "is another model when fitted again with the same seed")


def _beside_cuts(ensemble: TreeEnsemble, rows: np.ndarray[Any, Any]) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Rows on either side of cuts, column by column; the rows as they are come first."""
    yield 0, rows
    offsets, cuts = trees.thresholds(ensemble)
    for at in range(ensemble.features):
        own = cuts[offsets[at] : offsets[at + 1]]
        own = own[:: max(len(own) // _CUTS, 1)]
        if len(own):
            asked = rows[np.arange(2 * len(own)) % len(rows)]
            asked[:, at] = np.concatenate([own, np.nextafter(own, -np.inf)])
            yield at, asked


def _trees(target: Target) -> TreeEnsemble:
    if not isinstance(target, TreeTarget):
        raise Unsupported("no trees")
    return target.trees()


def _doors(target: Target, x: Array) -> dict[Access, Callable[[], Any]]:
    return {
        Access.LABELS: lambda: target.scores(x[:2]),
        Access.GRADIENTS: lambda: target.gradient(x[:2], lambda scores: scores),
        Access.TREES: lambda: _trees(target),
        Access.RETRAIN: lambda: target.refit(_data(target, x), Recipe()),
    }


def _data(target: Target, x: Array) -> Data:
    """The rows as training data: every class is there, or values."""
    few = np.tile(np.asarray(_numpy(x), dtype=float), (4, *(1,) * (x.ndim - 1)))
    if target.kind is ScoreKind.VALUE:
        return Data(x=few, y=np.tile(_scores(target, x)[:, 0], 4))
    y = np.tile(np.asarray(decide(_scores(target, x), target.kind, None)), 4)
    y[: target.classes] = np.arange(target.classes)
    return Data(x=few, y=y)


def _slope(target: Target, x: Array, way: Array, pull: Array, step: float) -> Array:
    """Central difference of <pull, scores> along `way`."""
    moved = [_scores(target, _alike(_numpy(x) + sign * step * way, x)) for sign in (1.0, -1.0)]
    return ((moved[0] - moved[1]) * pull).sum(axis=1) / (2.0 * step)


def _scores(target: Target, x: Array) -> np.ndarray[Any, Any]:
    return np.asarray(_numpy(target.scores(_copied(x))), dtype=float)


def _close(a: Array, b: Array) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=_RELATIVE, atol=_ABSOLUTE)


def _numpy(values: Array) -> np.ndarray[Any, Any]:
    return values if isinstance(values, np.ndarray) else np.asarray(values.detach().cpu().numpy())


def _alike(values: np.ndarray[Any, Any], model: Array) -> Array:
    """`values` in the namespace, type and place of `model`."""
    if isinstance(model, np.ndarray):
        return values.astype(model.dtype)
    import torch

    return torch.as_tensor(values, dtype=model.dtype, device=model.device)


def _copied(x: Array) -> Array:
    return x.copy() if isinstance(x, np.ndarray) else x.clone()


def _turned(x: Array) -> Array:
    return x[::-1].copy() if isinstance(x, np.ndarray) else x.flip(0)


LAWS = (
    law_one_finite_row_of_scores_each,
    law_a_row_is_answered_alike_in_any_company,
    law_is_deterministic_or_says_so,
    law_leaves_inputs_alone,
    law_declared_access_works,
    law_undeclared_access_is_refused,
    law_trees_are_the_model,
    law_gradient_equals_finite_differences,
    law_survives_pickling,
    law_refit_repeats_and_leaves_it_alone,
)
