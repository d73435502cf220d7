"""scikit-learn's trees: `x <= threshold`, in float32 but for the histogram models, behind scalers if any."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from temper.core.target import ScoreKind
from temper.core.trees import TreeEnsemble
from temper.targets._trees_build import (
    Array,
    Nodes,
    Rule,
    assemble,
    at_most,
    at_most_single,
    pulled_back,
)
from temper.targets.frame import Coding

_SINGLE = ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor")
_FORESTS = ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor")
_BOOSTED = ("GradientBoostingClassifier", "GradientBoostingRegressor")
_HISTOGRAM = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
_SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
_PLAIN = ("squared_error", "absolute_error", "quantile", "huber", "log_loss", "exponential")
_PROBES = 255


def readable(model: Any, kind: ScoreKind, method: str) -> bool:
    """Whether it is a tree model scikit-learn itself brings, alone or behind scalers that keep the order."""
    steps, core = _parts(model)
    title = type(core).__name__
    if not type(core).__module__.startswith("sklearn.") or any(type(s).__name__ not in _SCALERS for s in steps):
        return False
    if title in _SINGLE + _FORESTS:
        return core.n_outputs_ == 1 and (method == "predict_proba" or kind is ScoreKind.VALUE)
    if title in _BOOSTED:
        return core.loss in _PLAIN and type(core.init_).__name__ in ("str", "DummyClassifier", "DummyRegressor")
    return title in _HISTOGRAM and core.loss in _PLAIN and not (steps and core._preprocessor is not None)


def ensemble(model: Any, kind: ScoreKind, shown: Callable[[Array], Any], levels: dict[int, int]) -> TreeEnsemble:
    """The model's trees over the Schema's columns.

    `shown` gives the rows (n, d) as the model takes them; `levels` is the number of codes of each column that has any.
    """
    steps, core = _parts(model)
    codes = _codes(core, shown, levels)
    nodes, base, slope = _read(core, {at for at, _ in codes.tables})
    if steps:
        nodes = pulled_back(nodes, lambda x: _through(steps, x), core.n_features_in_)
    link = "identity"
    if kind is ScoreKind.PROBABILITIES and type(core).__name__ in _BOOSTED + _HISTOGRAM:
        link = "sigmoid" if len(base) == 1 else "softmax"
        nodes, base = _sloped(nodes, slope), base * slope
    return assemble(nodes, base, core.n_features_in_, link, codes)


def _parts(model: Any) -> tuple[list[Any], Any]:
    """The steps before the model that do something, and the model."""
    model = getattr(model, "best_estimator_", model)
    if type(model).__name__ != "Pipeline":
        return [], model
    return [step for _, step in model.steps[:-1] if step is not None and step != "passthrough"], model.steps[-1][1]


def _through(steps: list[Any], x: Any) -> Array:
    """The rows behind the scalers, computed by them."""
    for step in steps:
        names = getattr(step, "feature_names_in_", None)
        if names is not None:
            import pandas as pd

            x = pd.DataFrame(np.asarray(x), columns=names)
        x = step.transform(x)
    return np.asarray(x, dtype=np.float64)


def _codes(core: Any, shown: Callable[[Array], Any], levels: dict[int, int]) -> Coding:
    """What the model's trees get to see of each code of the Schema."""
    if not levels:
        return Coding()
    rows = np.zeros((max(levels.values()), core.n_features_in_))
    for at, count in levels.items():
        rows[:, at] = np.minimum(np.arange(len(rows)), count - 1)
    seen = _encoded(core, shown(rows))
    tables = ((at, tuple(seen[:count, at].tolist())) for at, count in sorted(levels.items()))
    return Coding(tuple((at, t) for at, t in tables if at in _places(core) or t != tuple(map(float, range(len(t))))))


def _places(core: Any) -> list[int]:
    """The columns a histogram model treats as categories, which it puts first."""
    if getattr(core, "_preprocessor", None) is None:
        return []
    return [int(at) for at in np.flatnonzero(core.is_categorical_)]


def _encoded(core: Any, rows: Any) -> Array:
    """The rows as numbers: behind the encoder where the model has one, columns in the order they came."""
    if getattr(core, "_preprocessor", None) is None:
        return np.asarray(rows, dtype=np.float64)
    encoded = np.asarray(core._preprocessor.transform(rows), dtype=np.float64)
    back = np.empty_like(encoded)
    back[:, _order(core)] = encoded
    return back


def _order(core: Any) -> Array:
    """The column that stands at each place behind the encoder."""
    flags = np.zeros(core.n_features_in_, dtype=bool)
    flags[_places(core)] = True
    return np.argsort(~flags, kind="stable")


def _read(core: Any, coded: set[int]) -> tuple[Nodes, Array, float]:
    """(nodes, base, slope of the link)."""
    title = type(core).__name__
    if title in _HISTOGRAM:
        return _histogram(core, coded), np.asarray(core._baseline_prediction, dtype=np.float64).reshape(-1), 1.0
    if title in _BOOSTED:
        base = np.asarray(core._raw_predict_init(np.zeros((1, core.n_features_in_), dtype=np.float32)))
        outputs = core.estimators_.shape[1]
        trees = [tree.tree_ for tree in core.estimators_.ravel()]
        leaves = [_placed(t.value[:, 0, 0] * core.learning_rate, at % outputs, outputs) for at, t in enumerate(trees)]
        return _grown(trees, leaves), base.reshape(-1).astype(np.float64), 2.0 if core.loss == "exponential" else 1.0
    trees = [tree.tree_ for tree in (core.estimators_ if title in _FORESTS else [core])]
    leaves = [_shares(tree.value[:, 0, :], hasattr(core, "classes_")) / len(trees) for tree in trees]
    return _grown(trees, leaves), np.zeros(leaves[0].shape[1]), 1.0


def _placed(value: Array, output: int, outputs: int) -> Array:
    wide = np.zeros((len(value), outputs))
    wide[:, output] = value
    return wide


def _shares(value: Array, classifies: bool) -> Array:
    """Leaves as shares of the classes: older versions keep counts."""
    return value / value.sum(axis=1, keepdims=True) if classifies else value


def _sloped(nodes: Nodes, slope: float) -> Nodes:
    nodes.value[...] *= slope
    return nodes


def _grown(trees: list[Any], leaves: list[Array]) -> Nodes:
    """Cython trees: float32 rows, `<=`, a direction for what is missing."""
    sizes = np.array([tree.node_count for tree in trees])
    start = np.cumsum(sizes) - sizes
    shift = np.repeat(start, sizes)
    left = np.concatenate([tree.children_left for tree in trees])
    right = np.concatenate([tree.children_right for tree in trees])
    missing = np.concatenate([getattr(tree, "missing_go_to_left", np.zeros(tree.node_count)) for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    return Nodes(
        feature=np.where(left < 0, -1, np.concatenate([tree.feature for tree in trees])),
        threshold=at_most_single(threshold),
        left=left + shift,
        right=right + shift,
        missing_left=missing.astype(bool),
        value=np.concatenate(leaves),
        root=start,
        rules=_all_known(np.isposinf(threshold) & (left >= 0), missing),
    )


def _all_known(endless: Array, missing: Array) -> dict[int, Rule]:
    """Splits that no value but a missing one is above."""
    return {int(at): Rule((), (True,), bool(missing[at])) for at in np.flatnonzero(endless)}


def _histogram(core: Any, coded: set[int]) -> Nodes:
    """Histogram trees: float64 rows, `<=`, categories behind an encoder that puts them first."""
    grown = [tree for stage in core._predictors for tree in stage]
    outputs = len(core._predictors[0]) if grown else 1
    sizes = np.array([len(tree.nodes) for tree in grown], dtype=np.int64)
    start = np.cumsum(sizes) - sizes
    owner = np.repeat(np.arange(len(grown)), sizes)
    node = np.concatenate([tree.nodes for tree in grown])
    leaf, order = node["is_leaf"].astype(bool), _order(core)
    value = np.zeros((len(node), outputs))
    value[np.flatnonzero(leaf), owner[leaf] % outputs] = node["value"][leaf]
    column = order[np.where(leaf, 0, node["feature_idx"])]
    endless = ~leaf & (node["is_categorical"] == 0) & np.isposinf(node["num_threshold"])
    rules = _all_known(endless, node["missing_go_to_left"])
    for at in np.flatnonzero(~leaf & node["is_categorical"].astype(bool)):
        bits = grown[owner[at]].raw_left_cat_bitsets[node["bitset_idx"][at]]
        known = _known(core, int(column[at]), int(column[at]) in coded)
        rules[int(at)] = _listed(bits, known, bool(node["missing_go_to_left"][at]))
    return Nodes(
        feature=np.where(leaf, -1, column),
        threshold=at_most(node["num_threshold"]),
        left=node["left"].astype(np.int64) + start[owner],
        right=node["right"].astype(np.int64) + start[owner],
        missing_left=node["missing_go_to_left"].astype(bool),
        value=value,
        root=start,
        rules=rules,
    )


def _known(core: Any, column: int, coded: bool) -> Array:
    """The values that the codes 0, 1, ... stand for, where the rule will be asked with them."""
    if coded:
        return np.arange(float(_PROBES + 1))
    encoder = core._preprocessor.named_transformers_["encoder"]
    return np.asarray(encoder.categories_[_places(core).index(column)], dtype=np.float64)


def _listed(bits: Array, known: Array, missing: bool) -> Rule:
    """Exactly the known values go by their bits; any other counts as missing."""
    inside = np.unpackbits(np.ascontiguousarray(bits, dtype="<u4").view(np.uint8), bitorder="little").astype(bool)
    known = np.array([value for value in known if value == value])
    sides = {float(value): bool(inside[code]) for code, value in enumerate(known) if code < len(inside)}
    cuts = sorted({edge for value in sides for edge in (value, float(np.nextafter(value, np.inf)))})
    return Rule(tuple(cuts), (missing, *(sides.get(low, missing) for low, _ in pairwise([*cuts, np.inf]))), missing)
