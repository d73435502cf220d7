"""A LightGBM model as a target: a Booster or an estimator of its scikit-learn interface."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Schema
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.targets import _digest, _estimator, _recipe, _trees_lightgbm
from temper.targets._score import shaped, two_columns
from temper.targets._trees_build import TREELESS
from temper.targets.frame import UNCHANGED, Coding, agree, coding

_NAMES = {
    "bagging_fraction": "subsample",
    "bagging_freq": "subsample_freq",
    "min_data_in_leaf": "min_child_samples",
    "num_iterations": "n_estimators",
}
_SKIPPED = (
    "data",
    "valid",
    "early_stopping",
    "metric",
    "machine",
    "num_machines",
    "gpu",
    "num_gpu",
    "local_listen",
    "time_out",
    "device",
    "categorical_feature",
    "verbos",
    "seed",
    "num_threads",
    "output",
    "input",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lightgbm:
    """Scores by the Booster's own prediction on float64, NaN as missing; `model` is a Booster or an estimator.

    A refit keeps the parameters (LightGBM stores them in its model files) and the rounds that were used.
    """

    model: Any
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    codes: Coding = UNCHANGED

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "lightgbm"

    @cached_property
    def access(self) -> Access:
        """Labels, scores and refits; the trees where the scores are sums of them."""
        trees = _trees_lightgbm.readable(self.booster, objective(self.booster), self.kind)
        return Access.LABELS | Access.SCORES | Access.RETRAIN | (Access.TREES if trees else Access.NONE)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model in LightGBM's own text format."""
        return _digest.of_bytes(self.booster.model_to_string().encode())

    @property
    def booster(self) -> Any:
        """The Booster itself, for whoever reads the trees."""
        return _booster(self.model)

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1)."""
        x = self._input(x)
        raw = self.booster.predict(x, raw_score=self.kind in (ScoreKind.MARGIN, ScoreKind.LOGITS))
        if self.kind is ScoreKind.PROBABILITIES and raw.ndim == 1:
            return two_columns(raw)
        return shaped(raw, self.kind, self.classes, len(x), "the LightGBM model")

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Trees have no gradients."""
        raise Unsupported("tree ensembles have no gradients", fix="use an attack that needs scores or labels")

    def trees(self) -> TreeEnsemble:
        """The rounds that predict as arrays, read once per process."""
        if Access.TREES not in self.access:
            raise Unsupported("the scores of this LightGBM model are no sums of trees", fix=TREELESS)
        return self._trees

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """A fresh model with the same parameters and number of rounds, single threaded, fitted on `data`."""
        x = self._input(data.x)
        y = _estimator.truth(data, self.kind, self.classes, "the LightGBM model")
        recipe = _recipe.checked(recipe, x.shape[1])
        fit = _fit_booster if _is_booster(self.model) else _fit_estimator
        return replace(self, model=fit(self.model, x, y, recipe))

    @cached_property
    def _trees(self) -> TreeEnsemble:
        return _trees_lightgbm.ensemble(self.booster, self.kind, self.codes)

    def _input(self, x: Array) -> np.ndarray[Any, Any]:
        return self.codes.apply(np.asarray(x, dtype=np.float64))


def open_lightgbm(
    model: Any, schema: Schema | None, kind: ScoreKind | None, classes: int | None, stochastic: bool
) -> Lightgbm:
    """The adapter of a fitted model; a `ContractError` says what is missing."""
    if not _is_booster(model) and getattr(model, "_Booster", None) is None:
        raise ContractError(f"{type(model).__name__} is not fitted", fix="call fit before opening it")
    booster = _booster(model)
    agree(_names(booster, schema), booster.num_feature(), schema, "the LightGBM model")
    found, count = _kind(booster)
    if kind is not None and kind is not found:
        allowed = ScoreKind.MARGIN if count == 2 else ScoreKind.LOGITS
        if found is ScoreKind.VALUE or kind is not allowed:
            raise ContractError(f"this LightGBM model has no {kind.value}", fix="leave kind out")
        found = kind
    if classes is not None and classes != count:
        raise ContractError(f"the LightGBM model has {count} classes, not {classes}", fix="leave classes out")
    codes = coding(schema, categories(booster, schema))
    return Lightgbm(model=model, kind=found, classes=count, stochastic=stochastic, codes=codes)


def _kind(booster: Any) -> tuple[ScoreKind, int]:
    goal, outputs = objective(booster), int(booster.num_model_per_iteration())
    if goal in ("binary", "cross_entropy"):
        return ScoreKind.PROBABILITIES, 2
    if goal == "multiclass":
        return ScoreKind.PROBABILITIES, outputs
    if goal == "multiclassova" or outputs > 1:  # each class on its own: rows do not sum to one
        return ScoreKind.LOGITS, outputs
    return ScoreKind.VALUE, 1


def objective(booster: Any) -> str:
    """The objective's name, such as "binary"; empty for a custom one."""
    found = re.search(r"^objective=(\S+)", booster.model_to_string(num_iteration=1), re.MULTILINE)
    return found.group(1) if found else ""


def _is_booster(model: Any) -> bool:
    return type(model).__name__ == "Booster"


def _booster(model: Any) -> Any:
    return model if _is_booster(model) else model.booster_


def _names(booster: Any, schema: Schema | None) -> list[str] | None:
    """The names it was fitted with; LightGBM invents Column_0 and so on for a matrix, and writes _ for a space."""
    names: list[str] = booster.feature_name()
    if names == [f"Column_{at}" for at in range(len(names))]:
        return None
    if schema and names == [name.replace(" ", "_") for name in schema.names]:
        return list(schema.names)
    return names


def categories(booster: Any, schema: Schema | None) -> dict[str, list[object]]:
    """The categories the model stored, by the schema's column name."""
    at, known = _stored(booster).get("categorical_feature") or [], booster.pandas_categorical or []
    if schema is None or len(at) != len(known):
        return {}
    return {schema.names[i]: values for i, values in zip(at, known, strict=True)}


def _stored(booster: Any) -> dict[str, Any]:
    """The parameters as the model text holds them: every one, by its canonical name."""
    import lightgbm

    found: dict[str, Any] = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=1)).params
    return found


def parameters(booster: Any) -> dict[str, Any]:
    """The training parameters, without those of the run (files, metrics, machines)."""
    kept = {name: value for name, value in _stored(booster).items() if not name.startswith(_SKIPPED)}
    return {_NAMES.get(name, name): value for name, value in kept.items() if value is not None}


def _fit_booster(model: Any, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], recipe: Recipe) -> Any:
    import lightgbm

    if objective(model) in ("", "custom", "none"):
        raise Unsupported("this LightGBM Booster was trained with an objective of its own", fix="open the estimator")
    settings = parameters(model) | {"n_estimators": model.num_trees() // model.num_model_per_iteration()}
    settings |= _asked(settings, recipe) | {"num_threads": 1, "seed": recipe.seed, "verbosity": -1}
    settings |= dict(recipe.changes)
    rounds = int(settings.pop("num_boost_round", settings.pop("num_iterations", settings.pop("n_estimators"))))
    settings.pop("n_estimators", None)
    flags: Any = _stored(model).get("categorical_feature") or "auto"
    data = lightgbm.Dataset(x, y, feature_name=_names(model, None) or "auto", categorical_feature=flags)
    return lightgbm.train(settings, data, num_boost_round=rounds)


def _fit_estimator(model: Any, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], recipe: Recipe) -> Any:
    """The scikit-learn interface; early stopping would ask for rows of its own, so its outcome is kept instead."""
    from sklearn.base import clone

    booster, fresh = model.booster_, clone(model)
    stopping = {name: None for name in fresh.get_params() if name.startswith("early_stopping")}
    fresh.set_params(n_estimators=booster.num_trees() // booster.num_model_per_iteration(), **stopping)
    fresh.set_params(n_jobs=1, random_state=recipe.seed, verbose=-1, **_asked(fresh.get_params(), recipe))
    fresh.set_params(**dict(recipe.changes))
    flags = _stored(booster).get("categorical_feature") or "auto"
    return fresh.fit(x, y, feature_name=_names(booster, None) or "auto", categorical_feature=flags)


def _asked(now: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """What the recipe changes."""
    changes = _estimator.soft_lightgbm(now, recipe.regularise) if recipe.regularise else {}
    return changes | ({"monotone_constraints": list(recipe.monotone)} if recipe.monotone else {})
