"""What estimators with scikit-learn's interface share: parameters for a refit, and the frame they want."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.target import Recipe, ScoreKind
from temper.targets import _recipe
from temper.targets.frame import numeric

_KEEP_ORDER = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "QuantileTransformer")
_INVERSE = ("LogisticRegression", "LinearSVC", "SVC", "NuSVC", "LinearSVR", "SVR")
_PENALTY = ("Ridge", "RidgeClassifier", "Lasso", "ElasticNet", "SGDClassifier", "SGDRegressor", "MLPClassifier")
_BOOSTED = ("xgboost", "lightgbm", "catboost")
_THREADS = ("n_jobs", "thread_count", "nthread")
_GROWN = ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree", "Bagging")


def names(model: Any) -> tuple[str, ...] | None:
    """The column names a model was fitted with, None when it saw a bare matrix."""
    found = getattr(model, "feature_names_in_", None)
    return None if found is None else tuple(str(name) for name in found)


def forms(model: Any, schema: Schema) -> dict[str, str]:
    """Per column the form in which the fitted parts of a pipeline know it (see `to_frame`)."""
    known: dict[str, str] = {}
    for part in parts(model):
        known |= _encoded(part) | _native(part)
    passed_through = {c.name: "number" for c in schema.columns if numeric(c)}
    return passed_through | known


def takes_floats(model: Any, schema: Schema) -> bool:
    """Whether a frame of floats will do: only numbers, and no code of the user's that might look at their types."""
    if any(column.type in ("category", "boolean") for column in schema.columns) or forms(model, schema):
        return False
    return all(
        _home(part) in ("sklearn", *_BOOSTED) and type(part).__name__ != "FunctionTransformer" for part in parts(model)
    )


def parts(model: Any, depth: int = 6) -> Iterator[Any]:
    """The fitted estimators inside an estimator, itself first."""
    yield model
    if depth == 0:
        return
    for name in ("steps", "transformers_", "transformer_list"):
        for step in getattr(model, name, ()):
            if not isinstance(step[1], str):
                yield from parts(step[1], depth - 1)
    for name in ("best_estimator_", "estimator_", "final_estimator_"):
        if hasattr(model, name):
            yield from parts(getattr(model, name), depth - 1)
    for inner in getattr(model, "calibrated_classifiers_", ())[:1]:
        yield from parts(inner.estimator, depth - 1)


def _encoded(part: Any) -> dict[str, str]:
    """Columns of a fitted encoder: its categories still have the type they had in the frame."""
    seen, found = getattr(part, "feature_names_in_", None), getattr(part, "categories_", None)
    if seen is None or found is None or len(seen) != len(found):
        return {}
    kinds = {"b": "boolean", "i": "number", "u": "number", "f": "number"}
    return {
        str(name): kinds.get(np.asarray(values).dtype.kind, "text") for name, values in zip(seen, found, strict=True)
    }


def _native(part: Any) -> dict[str, str]:
    """Columns that a model with categories of its own wants as pandas categories."""
    seen, mask = getattr(part, "feature_names_in_", None), getattr(part, "is_categorical_", None)
    if seen is None or mask is None:
        return {}
    return {str(name): "category" for name, flag in zip(seen, mask, strict=True) if flag}


def truth(data: Data, kind: ScoreKind, classes: int, title: str) -> np.ndarray[Any, Any]:
    """What a refit is fitted to: values, or class numbers with every class present."""
    if kind is ScoreKind.VALUE:
        return np.asarray(data.y, dtype=np.float64)
    return _recipe.class_numbers(data, classes, title)


def fresh(model: Any, recipe: Recipe, columns: int) -> Any:
    """An unfitted copy with the recipe applied; `Unsupported` where a model cannot follow it."""
    from sklearn.base import clone

    recipe = _recipe.checked(recipe, columns)
    copy = clone(getattr(model, "best_estimator_", model))  # a search is not repeated: it has chosen
    steady: dict[str, Any] = {}
    for name, value in copy.get_params(deep=True).items():
        word = name.split("__")[-1]
        if word in _THREADS and value not in (None, 1):
            steady[name] = 1
        elif word == "random_state" and not name.endswith("cv__random_state"):
            steady[name] = recipe.seed
    copy.set_params(**steady)
    inner, path = _core(copy)
    if _home(inner) in _BOOSTED:  # for these, no number of threads means all of them
        copy.set_params(**{path + ("thread_count" if _home(inner) == "catboost" else "n_jobs"): 1})
    if recipe.monotone:
        _constrain(copy, inner, path, recipe.monotone)
    if recipe.regularise:
        copy.set_params(**{path + name: value for name, value in softened(inner, recipe.regularise).items()})
    return copy.set_params(**dict(recipe.changes))


def _core(model: Any) -> tuple[Any, str]:
    """The model inside pipelines and wrappers, and the parameter prefix that leads to it."""
    path = ""
    while True:
        if hasattr(model, "steps"):
            name, model = model.steps[-1]
        elif hasattr(model.get_params(deep=False).get("estimator"), "fit"):
            name, model = "estimator", model.estimator
        else:
            return model, path
        path += f"{name}__"


def _constrain(copy: Any, inner: Any, path: str, monotone: tuple[int, ...]) -> None:
    title = type(inner).__name__
    known = inner.get_params()
    name = next((n for n in ("monotonic_cst", "monotone_constraints") if n in known or _is_boosted(inner, n)), None)
    if name is None:
        raise Unsupported(f"{title} has no monotone constraints", fix="use gradient boosting or a forest")
    for step in getattr(copy, "steps", [])[:-1]:
        if type(step[1]).__name__ not in _KEEP_ORDER and step[1] != "passthrough":
            raise Unsupported(
                f"{type(step[1]).__name__} before {title} mixes columns, so constraints on columns cannot be handed on",
                fix="constrain the inner model through changes",
            )
    copy.set_params(**{path + name: tuple(monotone) if name == "monotone_constraints" else list(monotone)})


def _is_boosted(inner: Any, name: str) -> bool:
    return name == "monotone_constraints" and _home(inner) in _BOOSTED


def _home(model: Any) -> str:
    return type(model).__module__.split(".")[0]


def softened(model: Any, strength: float) -> dict[str, Any]:
    """New parameters of an estimator for a regularising strength in (0, 1]."""
    title, now = type(model).__name__, model.get_params()
    if _home(model) in _BOOSTED:
        soften = {"xgboost": soft_xgboost, "lightgbm": soft_lightgbm, "catboost": soft_catboost}
        return soften[_home(model)](now, strength)
    if title.startswith("HistGradientBoosting"):
        return _soft_histogram(now, strength)
    if title.startswith("GradientBoosting"):
        return _soft_gradient(now, strength)
    if title.startswith(_GROWN) and "min_samples_leaf" in now:
        return {"min_samples_leaf": _grown_rows(now["min_samples_leaf"], strength)}
    if title in _INVERSE and "C" in now:
        return {"C": now["C"] / _recipe.penalty(1.0, strength)}
    if title in _PENALTY:
        return {"alpha": _recipe.penalty(now["alpha"], strength)}
    raise Unsupported(f"{title} has no setting that regularises", fix="hand the library's own parameters in `changes`")


def _grown_rows(now: float, strength: float) -> float:
    """Rows in the leaf of a fully grown tree; a share of the rows stays a share."""
    return now if isinstance(now, float) else max(int(now), round(1 + 19 * strength))


def _soft_histogram(now: dict[str, Any], strength: float) -> dict[str, Any]:
    return {
        "max_depth": _recipe.depth(now["max_depth"], strength),
        "max_leaf_nodes": _recipe.leaves(now["max_leaf_nodes"], strength),
        "learning_rate": _recipe.rate(now["learning_rate"], strength),
        "max_iter": _recipe.rounds(now["max_iter"], strength),
        "min_samples_leaf": _recipe.rows(now["min_samples_leaf"], strength),
    }


def _soft_gradient(now: dict[str, Any], strength: float) -> dict[str, Any]:
    return {
        "max_depth": min(now["max_depth"] or 6, _recipe.depth(now["max_depth"], strength)),
        "learning_rate": _recipe.rate(now["learning_rate"], strength),
        "n_estimators": _recipe.rounds(now["n_estimators"], strength),
        "subsample": _recipe.share(now["subsample"], strength),
        "min_samples_leaf": _grown_rows(now["min_samples_leaf"], strength),
    }


def soft_xgboost(now: dict[str, Any], strength: float) -> dict[str, Any]:
    """XGBoost's parameters (of either interface)."""
    eta = "eta" if "eta" in now else "learning_rate"
    changes = {
        "max_depth": _recipe.depth(now.get("max_depth"), strength),
        eta: _recipe.rate(now.get(eta) or 0.3, strength),
        "subsample": _recipe.share(now.get("subsample"), strength),
        "min_child_weight": _recipe.weight(now.get("min_child_weight"), strength),
    }
    if now.get("n_estimators"):
        changes["n_estimators"] = _recipe.rounds(now["n_estimators"], strength)
    return changes


def soft_lightgbm(now: dict[str, Any], strength: float) -> dict[str, Any]:
    """LightGBM's parameters, by the names of its scikit-learn interface."""
    return {
        "num_leaves": _recipe.leaves(now.get("num_leaves"), strength),
        "max_depth": _recipe.depth(now.get("max_depth"), strength),
        "learning_rate": _recipe.rate(now.get("learning_rate") or 0.1, strength),
        "n_estimators": _recipe.rounds(now.get("n_estimators") or 100, strength),
        "subsample": _recipe.share(now.get("subsample"), strength),
        "subsample_freq": max(now.get("subsample_freq") or 0, 1),
        "min_child_samples": _recipe.rows(now.get("min_child_samples"), strength),
    }


def soft_catboost(now: dict[str, Any], strength: float) -> dict[str, Any]:
    """CatBoost's parameters."""
    return {
        "depth": _recipe.depth(now.get("depth"), strength),
        "learning_rate": _recipe.rate(now.get("learning_rate") or 0.1, strength),
        "iterations": _recipe.rounds(now.get("iterations") or 1000, strength),
        "l2_leaf_reg": _recipe.penalty(now.get("l2_leaf_reg") or 3.0, strength / 2),
    }
