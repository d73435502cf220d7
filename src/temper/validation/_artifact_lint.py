"""What a model keeps of the people it learned from: their rows, counts of them, and statistics of their columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

_OBJECTS = 200_000
# Fitted attributes of scikit-learn and what they tell of the training rows.
_TELLS = {
    "_fit_X": "the training rows themselves",
    "support_vectors_": "training rows at the margin",
    "X_train_": "the training rows themselves",
    "categories_": "every category seen in training",
    "statistics_": "means, medians or modes of training columns",
    "quantiles_": "values of training rows",
    "bin_edges_": "bounds of training columns",
    "data_min_": "smallest values of training columns",
    "data_max_": "largest values of training columns",
    "vocabulary_": "words of the training texts",
    "X_thresholds_": "scores of training rows",
}
_COUNTS = re.compile(r"^leaf_count=(.*)$", re.MULTILINE)
_RANGES = re.compile(r"^feature_infos=(.*)$", re.MULTILINE)
_STRUCK_OUT = {"[-1:1]", "none"}
_HESSIANS = re.compile(rb'"sum_hessian"\s*:\s*\[[^\]]*[1-9]')


def raw_model(target: Any) -> Any:
    """The model behind a target and its wrappers; None where there is only an endpoint."""
    return getattr(target, "model", None)


def statistics_kept(model: Any) -> tuple[str, ...]:
    """Kinds of training statistics in the model, in words."""
    found = {_TELLS[name]: None for name, _ in _attributes(model) if name in _TELLS}
    if any(tree.n_node_samples.any() for tree in _trees(model)):
        found["how many training rows each node holds, and how mixed they are"] = None
    if (booster := _lightgbm(model)) is not None:
        text = booster.model_to_string()
        if _leaf_counts(text).any():
            found["how many training rows each leaf holds"] = None
        if {told for line in _RANGES.findall(text) for told in line.split()} - _STRUCK_OUT:
            found["smallest and largest values of training columns (feature_infos)"] = None
    if (booster := _xgboost(model)) is not None and _HESSIANS.search(bytes(booster.save_raw("json"))):
        found["the weight of the training rows in each node (sum_hessian, base_weights, loss_changes)"] = None
    return tuple(found)


def leaf_sizes(model: Any) -> np.ndarray[Any, Any]:
    """Training rows per leaf, over all trees; empty where the model does not say."""
    booster = _lightgbm(model)
    if booster is not None:
        return _said(_leaf_counts(booster.model_to_string()))
    leaves = [tree.n_node_samples[tree.children_left < 0] for tree in _trees(model)]
    return _said(np.concatenate(leaves) if leaves else np.zeros(0, dtype=np.int64))


def rows_kept(model: Any, forms: list[Floats]) -> int:
    """How many training rows lie in the model value for value; `forms` are the rows as given and as transformed."""
    kept = np.zeros(len(forms[0]), dtype=bool)
    for array in _matrices(model):
        for form in forms:
            if form.shape[1] == array.shape[1] and len(array):
                kept |= np.isin(_rows(form), _rows(array.astype(form.dtype)))
    return int(kept.sum())


def forms_of(target: Any, model: Any, x: Any) -> list[Floats]:
    """The rows as the model's last step may hold them: as they are, and behind the steps in front of it."""
    forms = [np.asarray(x, dtype=np.float64)]
    if hasattr(model, "steps") and len(model.steps) > 1:
        given = target._input(x) if hasattr(target, "_input") else x
        passed = model[:-1].transform(given)
        forms.append(np.asarray(passed.toarray() if hasattr(passed, "toarray") else passed, dtype=np.float64))
    return forms


def _said(sizes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The sizes, none where every one is struck out: no leaf was grown from no row."""
    return sizes if sizes.any() else sizes[:0]


def _leaf_counts(text: str) -> np.ndarray[Any, Any]:
    """Training rows per leaf as a LightGBM model file says them."""
    return np.array([int(size) for line in _COUNTS.findall(text) for size in line.split()], dtype=np.int64)


def _rows(array: Floats) -> np.ndarray[Any, Any]:
    solid = np.ascontiguousarray(array) + 0.0  # one zero, not two
    return solid.view(np.dtype((np.void, solid.dtype.itemsize * solid.shape[1]))).ravel()


def _matrices(model: Any) -> Iterator[Floats]:
    for _, value in _attributes(model):
        if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "fiu" and value.shape[1]:
            yield value


def _trees(model: Any) -> Iterator[Any]:
    for name, value in _attributes(model):
        if name == "tree_" and hasattr(value, "n_node_samples"):
            yield value


def _attributes(model: Any) -> Iterator[tuple[str, Any]]:
    """Every named value below an object: attributes of estimators, members of containers, the data of KD trees."""
    waiting: list[tuple[str, Any]] = [("", model)]
    seen: set[int] = set()
    while waiting and len(seen) < _OBJECTS:
        name, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield name, value
        if isinstance(value, dict):
            waiting += [(str(key), item) for key, item in value.items()]
        elif isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
            waiting += [(name, item) for item in (value.ravel() if isinstance(value, np.ndarray) else value)]
        elif type(value).__module__.split(".")[0] == "sklearn":
            waiting += list(getattr(value, "__dict__", {}).items())
            if type(value).__name__.startswith(("KDTree", "BallTree")):
                waiting.append(("data", np.asarray(value.data)))


def _lightgbm(model: Any) -> Any:
    booster = getattr(model, "booster_", model)
    return booster if type(booster).__module__ == "lightgbm.basic" else None


def _xgboost(model: Any) -> Any:
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    if type(booster).__module__ != "xgboost.core":
        return None
    learner = json.loads(booster.save_config())["learner"]
    return booster if learner["gradient_booster"]["name"] != "gblinear" else None
