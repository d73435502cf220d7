"""A CatBoost model as a target."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Schema
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.targets import _digest, _estimator, _recipe, _trees_catboost
from temper.targets._score import shaped
from temper.targets._trees_build import TREELESS
from temper.targets.frame import agree, to_frame

_PROBABILITY = ("Logloss", "CrossEntropy", "MultiClass")
_KEPT = (
    "bootstrap_type",
    "border_count",
    "boosting_type",
    "grow_policy",
    "leaf_estimation_method",
    "loss_function",
    "max_leaves",
    "min_data_in_leaf",
    "nan_mode",
    "random_strength",
    "rsm",
    "subsample",
)
_SKIPPED = (
    "cat_features",
    "early_stopping",
    "od_",
    "use_best_model",
    "verbose",
    "silent",
    "logging_level",
    "metric_period",
    "train_dir",
)
_ALIASES = {
    "iterations": ("n_estimators", "num_boost_round", "num_trees"),
    "depth": ("max_depth",),
    "learning_rate": ("eta",),
    "l2_leaf_reg": ("reg_lambda",),
    "random_seed": ("random_state",),
    "loss_function": ("objective",),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Catboost:
    """Scores by CatBoost's own prediction; category columns are handed over by name, so they need the schema."""

    model: Any
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    schema: Schema | None = None

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "catboost"

    @cached_property
    def access(self) -> Access:
        """Labels, scores and refits; the trees where they ask nothing but numbers and categories."""
        trees = _trees_catboost.readable(self.model, self.kind, self._levels)
        return Access.LABELS | Access.SCORES | Access.RETRAIN | (Access.TREES if trees else Access.NONE)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model in CatBoost's own binary format."""
        # A model fresh from fit is laid out differently from the same model once it was stored, so store it first.
        stored = pickle.loads(pickle.dumps(self.model))  # noqa: S301  (its own bytes, written one call before)
        return _digest.of_bytes(stored._serialize_model())

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1)."""
        form = "Probability" if self.kind is ScoreKind.PROBABILITIES else "RawFormulaVal"
        raw = self.model.predict(self._input(x), prediction_type=form)
        return shaped(raw, self.kind, self.classes, len(x), "the CatBoost model")

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Trees have no gradients."""
        raise Unsupported("tree ensembles have no gradients", fix="use an attack that needs scores or labels")

    def trees(self) -> TreeEnsemble:
        """The model as arrays, read once per process."""
        if Access.TREES not in self.access:
            raise Unsupported(
                "this CatBoost model asks statistics of its categories, texts or embeddings", fix=TREELESS
            )
        return self._trees

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """A fresh model with the same parameters and number of rounds, single threaded, fitted on `data`."""
        y = _estimator.truth(data, self.kind, self.classes, "the CatBoost model")
        recipe = _recipe.checked(recipe, np.asarray(data.x).shape[1])
        flags = self.model.get_cat_feature_indices()
        fresh = _unfitted(self.model, _settings(self.model, recipe))
        return replace(self, model=fresh.fit(self._input(data.x), y, cat_features=flags or None))

    @cached_property
    def _trees(self) -> TreeEnsemble:
        return _trees_catboost.ensemble(self.model, self.kind, self._input, self._levels)

    @property
    def _levels(self) -> dict[int, int]:
        """The number of codes of each column that has codes."""
        columns = self.schema.columns if self.schema else ()
        counts = {at: 2 if c.type == "boolean" else len(c.categories) for at, c in enumerate(columns)}
        return {at: count for at, count in counts.items() if count}

    def _input(self, x: Array) -> Any:
        x = np.asarray(x, dtype=np.float64)
        flags = self.model.get_cat_feature_indices()
        if not flags or self.schema is None:
            return x
        frame = to_frame(x, self.schema)
        for at in flags:  # CatBoost takes no missing category and no fraction as one
            name = self.schema.names[at]
            frame[name] = frame[name].astype(object).where(frame[name].notna(), "nan").astype(str)
        return frame


def open_catboost(
    model: Any, schema: Schema | None, kind: ScoreKind | None, classes: int | None, stochastic: bool
) -> Catboost:
    """The adapter of a fitted model; a `ContractError` says what is missing."""
    if not model.is_fitted():
        raise ContractError(f"{type(model).__name__} is not fitted", fix="call fit before opening it")
    names = list(model.feature_names_)
    unnamed = names == [str(at) for at in range(len(names))]
    agree(None if unnamed else names, len(names), schema, "the CatBoost model")
    if model.get_cat_feature_indices() and schema is None:
        raise ContractError("the CatBoost model has category columns and no schema", fix="give schema=")
    found, count = _kind(model)
    if kind is not None and kind is not found:
        allowed = ScoreKind.MARGIN if count == 2 else ScoreKind.LOGITS
        if found is ScoreKind.VALUE or kind is not allowed:
            raise ContractError(f"this CatBoost model has no {kind.value}", fix="leave kind out")
        found = kind
    if classes is not None and classes != count:
        raise ContractError(f"the CatBoost model has {count} classes, not {classes}", fix="leave classes out")
    return Catboost(model=model, kind=found, classes=count, stochastic=stochastic, schema=schema)


def _kind(model: Any) -> tuple[ScoreKind, int]:
    loss = str(model.get_all_params().get("loss_function", "")).split(":")[0]
    if loss in _PROBABILITY:
        return ScoreKind.PROBABILITIES, max(len(model.classes_), 2)
    if loss == "MultiClassOneVsAll":  # each class on its own: rows do not sum to one
        return ScoreKind.LOGITS, len(model.classes_)
    return ScoreKind.VALUE, 1


def _unfitted(model: Any, settings: dict[str, Any]) -> Any:
    """The general class, which a model file gives, takes its parameters as one dictionary."""
    return type(model)(settings) if type(model).__name__ == "CatBoost" else type(model)(**settings)


def _settings(model: Any, recipe: Recipe) -> dict[str, Any]:
    """The user's parameters over the ones a model file remembers, with the recipe applied."""
    known = model.get_all_params()
    settings = {name: known[name] for name in _KEPT if name in known}
    if known.get("grow_policy") == "SymmetricTree":  # then CatBoost reports them and does not take them
        settings = {name: value for name, value in settings.items() if name not in ("max_leaves", "min_data_in_leaf")}
    settings |= {name: value for name, value in model.get_params().items() if not name.startswith(_SKIPPED)}
    for name, aliases in _ALIASES.items():
        given = [settings.pop(alias) for alias in aliases if alias in settings]
        settings[name] = known.get(name, given[0] if given else None)
    settings |= {"iterations": model.tree_count_}
    if recipe.regularise:
        settings |= _estimator.soft_catboost(settings, recipe.regularise)
    if recipe.monotone:
        settings["monotone_constraints"] = list(recipe.monotone)
    settings |= {"random_seed": recipe.seed, "thread_count": 1, "logging_level": "Silent", "allow_writing_files": False}
    return {name: value for name, value in (settings | dict(recipe.changes)).items() if value is not None}
