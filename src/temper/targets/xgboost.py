"""An XGBoost model as a target: a Booster or an estimator of its scikit-learn interface."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Schema
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.targets import _digest, _estimator, _recipe, _trees_xgboost
from temper.targets._score import shaped, softmax, two_columns
from temper.targets._trees_build import TREELESS
from temper.targets.frame import UNCHANGED, Coding, agree, coding

_KEPT = (
    "alpha",
    "booster",
    "colsample_bylevel",
    "colsample_bynode",
    "colsample_bytree",
    "eta",
    "gamma",
    "grow_policy",
    "lambda",
    "max_bin",
    "max_cat_threshold",
    "max_cat_to_onehot",
    "max_delta_step",
    "max_depth",
    "max_leaves",
    "min_child_weight",
    "normalize_type",
    "num_class",
    "num_parallel_tree",
    "objective",
    "one_drop",
    "rate_drop",
    "sample_type",
    "sampling_method",
    "scale_pos_weight",
    "skip_drop",
    "subsample",
    "tree_method",
)
_DEFAULT_DEPTH = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Xgboost:
    """Scores by `inplace_predict` on float32, NaN as missing; `model` is a Booster or an estimator around one.

    A refit keeps the parameters. A Booster loaded from a model file has forgotten them (XGBoost does not store them
    there), so its rounds and depth are read off the trees and the rest is XGBoost's default: hand in `changes` then.
    """

    model: Any
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    codes: Coding = UNCHANGED

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "xgboost"

    @cached_property
    def access(self) -> Access:
        """Labels, scores and refits; the trees where the scores are sums of them."""
        trees = _trees_xgboost.readable(self.booster, self._objective, self.kind)
        return Access.LABELS | Access.SCORES | Access.RETRAIN | (Access.TREES if trees else Access.NONE)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model in XGBoost's own binary format."""
        return _digest.of_bytes(bytes(self.booster.save_raw("ubj")))

    @property
    def booster(self) -> Any:
        """The Booster itself, for whoever reads the trees."""
        return _booster(self.model)

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1)."""
        x32 = self._input(x)
        margin = self.kind in (ScoreKind.MARGIN, ScoreKind.LOGITS) or self._objective == "multi:softmax"
        raw = self._predict(x32, margin)
        if self.kind is ScoreKind.PROBABILITIES:
            raw = softmax(raw.astype(float)) if self._objective == "multi:softmax" else raw
            raw = two_columns(raw) if raw.ndim == 1 else raw
        return shaped(raw, self.kind, self.classes, len(x), "the XGBoost model")

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Trees have no gradients."""
        raise Unsupported("tree ensembles have no gradients", fix="use an attack that needs scores or labels")

    def trees(self) -> TreeEnsemble:
        """The rounds in use as arrays, read once per process."""
        if Access.TREES not in self.access:
            raise Unsupported("the scores of this XGBoost model are no sums of trees", fix=TREELESS)
        return self._trees

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """A fresh model with the same parameters and number of rounds, single threaded, fitted on `data`."""
        x = self._input(data.x)
        y = _estimator.truth(data, self.kind, self.classes, "the XGBoost model")
        recipe = _recipe.checked(recipe, x.shape[1])
        if self._linear and (recipe.monotone or recipe.regularise):
            raise Unsupported("XGBoost's linear booster has no trees to constrain", fix="hand alpha, lambda in changes")
        fit = _fit_booster if _is_booster(self.model) else _fit_estimator
        return replace(self, model=fit(self.model, x, y, recipe))

    def _predict(self, x32: np.ndarray[Any, Any], margin: bool) -> np.ndarray[Any, Any]:
        booster, stop = self.booster, _last_round(self.model)
        if self._linear:  # inplace_predict is for trees
            import xgboost

            matrix = xgboost.DMatrix(x32, feature_names=booster.feature_names, feature_types=booster.feature_types)
            raw: np.ndarray[Any, Any] = booster.predict(matrix, output_margin=margin)
            return raw
        raw = booster.inplace_predict(
            x32,
            iteration_range=(0, stop),
            predict_type="margin" if margin else "value",
            missing=np.nan,
            validate_features=False,
        )
        return raw

    def _input(self, x: Array) -> np.ndarray[Any, Any]:
        return self.codes.apply(np.asarray(x, dtype=np.float64)).astype(np.float32)

    @cached_property
    def _trees(self) -> TreeEnsemble:
        return _trees_xgboost.ensemble(self.booster, _last_round(self.model), self.kind, self.codes)

    @cached_property
    def _objective(self) -> str:
        return objective(self.booster)

    @cached_property
    def _linear(self) -> bool:
        return str(_config(self.booster)["gradient_booster"]["name"]) == "gblinear"


def open_xgboost(
    model: Any, schema: Schema | None, kind: ScoreKind | None, classes: int | None, stochastic: bool
) -> Xgboost:
    """The adapter of a fitted model; a `ContractError` says what is missing."""
    from sklearn.exceptions import NotFittedError

    try:
        booster = _booster(model)
    except NotFittedError:
        raise ContractError(f"{type(model).__name__} is not fitted", fix="call fit before opening it") from None
    agree(booster.feature_names, booster.num_features(), schema, "the XGBoost model")
    found, count = _kind(booster)
    if kind is not None and kind is not found:
        binary = found is ScoreKind.PROBABILITIES and count == 2 and kind is ScoreKind.MARGIN
        several = found is ScoreKind.PROBABILITIES and count > 2 and kind is ScoreKind.LOGITS
        custom = objective(booster).startswith("reg:")  # a custom objective leaves no name behind
        if not (binary or several or custom):
            raise ContractError(f"an XGBoost model of {objective(booster)} has no {kind.value}", fix="leave kind out")
        found, count = kind, 2 if kind is ScoreKind.MARGIN else count
    if classes is not None and classes != count:
        raise ContractError(f"the XGBoost model has {count} classes, not {classes}", fix="leave classes out")
    codes = coding(schema, categories(booster, schema))
    return Xgboost(model=model, kind=found, classes=count, stochastic=stochastic, codes=codes)


def objective(booster: Any) -> str:
    """The objective's name, such as "binary:logistic"."""
    return str(_config(booster)["objective"]["name"])


def categories(booster: Any, schema: Schema | None) -> dict[str, list[object]]:
    """The categories the model stored, by the schema's column name (XGBoost 3.1 and later store them)."""
    types = booster.feature_types or []
    if schema is None or "c" not in types or not hasattr(booster, "get_categories"):
        return {}
    stored = booster.get_categories(export_to_arrow=True).to_arrow()
    names = schema.names
    return {names[at]: values.to_pylist() for at, (_, values) in enumerate(stored) if values is not None}


def _kind(booster: Any) -> tuple[ScoreKind, int]:
    goal = objective(booster)
    if goal == "binary:logistic":
        return ScoreKind.PROBABILITIES, 2
    if goal in ("binary:logitraw", "binary:hinge"):
        return ScoreKind.MARGIN, 2
    if goal.startswith("multi:"):
        return ScoreKind.PROBABILITIES, int(_config(booster)["learner_model_param"]["num_class"])
    return ScoreKind.VALUE, 1


def _is_booster(model: Any) -> bool:
    return type(model).__name__ == "Booster"


def _booster(model: Any) -> Any:
    return model if _is_booster(model) else model.get_booster()


def _last_round(model: Any) -> int:
    """One past the last round used: the estimator stops at its best, a bare Booster uses all (0)."""
    if _is_booster(model):
        return 0
    best = getattr(model, "best_iteration", None) if getattr(model, "early_stopping_rounds", None) else None
    return 0 if best is None else int(best) + 1


def _config(booster: Any) -> dict[str, Any]:
    learner: dict[str, Any] = json.loads(booster.save_config())["learner"]
    return learner


def parameters(booster: Any) -> dict[str, Any]:
    """The training parameters a Booster still knows, as `xgboost.train` takes them."""
    config = _config(booster)
    found: dict[str, Any] = {}
    for part in (config["gradient_booster"], config["objective"], config["learner_train_param"]):
        found |= {name: _value(text) for name, text in _leaves(part).items() if name in _KEPT}
    found["objective"] = config["objective"]["name"]
    found["num_class"] = int(config["learner_model_param"]["num_class"])
    if config["learner_model_param"].get("boost_from_average") == "0":
        found["base_score"] = float(str(config["learner_model_param"]["base_score"]).strip("[]").split(",")[0])
    if not found["num_class"]:
        del found["num_class"]
    deepest = _deepest(booster)
    if found.get("max_depth") == _DEFAULT_DEPTH and deepest:
        found["max_depth"] = deepest
    return found


def _leaves(part: Mapping[str, Any]) -> dict[str, str]:
    """The scalars of nested objects, by name."""
    found: dict[str, str] = {}
    for name, value in part.items():
        if isinstance(value, dict):
            found |= _leaves(value)
        elif isinstance(value, str) and value not in ("", "()"):
            found[name] = value
    return found


def _value(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _deepest(booster: Any) -> int:
    """Depth of the deepest tree: every level is a tab in the text dump."""
    if _config(booster)["gradient_booster"]["name"] == "gblinear":
        return 0
    return max((line.count("\t") for tree in booster.get_dump() for line in tree.splitlines()), default=0)


def _fit_booster(model: Any, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], recipe: Recipe) -> Any:
    import xgboost

    settings = parameters(model) | {"nthread": 1, "seed": recipe.seed, "verbosity": 0}
    rounds = model.num_boosted_rounds()
    if recipe.monotone:
        settings["monotone_constraints"] = f"({','.join(map(str, recipe.monotone))})"
    if recipe.regularise:
        settings |= _estimator.soft_xgboost(settings, recipe.regularise)
        rounds = _recipe.rounds(rounds, recipe.regularise)
    settings |= dict(recipe.changes)
    rounds = int(settings.pop("num_boost_round", settings.pop("n_estimators", rounds)))
    types = model.feature_types
    matrix = xgboost.DMatrix(
        x, y, feature_names=model.feature_names, feature_types=types, enable_categorical="c" in (types or []), nthread=1
    )
    return xgboost.train(settings, matrix, num_boost_round=rounds)


def _fit_estimator(model: Any, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], recipe: Recipe) -> Any:
    """The scikit-learn interface; early stopping would ask for rows of its own, so its outcome is kept instead."""
    from sklearn.base import clone

    booster = model.get_booster()
    fresh = clone(model)
    settings: dict[str, Any] = {"n_jobs": 1, "random_state": recipe.seed, "early_stopping_rounds": None}
    if not type(model).__name__.startswith("XGBRF"):
        settings["n_estimators"] = _last_round(model) or booster.num_boosted_rounds()
    if fresh.get_params().get("max_depth") is None:
        settings["max_depth"] = parameters(booster).get("max_depth")
    if booster.feature_types and "c" in booster.feature_types:
        settings |= {"feature_types": booster.feature_types, "enable_categorical": True}
    fresh.set_params(**settings)
    if recipe.monotone:
        fresh.set_params(monotone_constraints=tuple(recipe.monotone))
    if recipe.regularise:
        fresh.set_params(**_estimator.soft_xgboost(fresh.get_params(), recipe.regularise))
    fresh.set_params(**dict(recipe.changes))
    fresh.fit(x, y)
    if booster.feature_names:
        fresh.get_booster().feature_names = booster.feature_names
    return fresh
