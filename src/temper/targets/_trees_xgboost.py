"""XGBoost's trees: `float32(x) < threshold`, listed categories to the right, leaves in units of the margin."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from temper.core.errors import Unsupported
from temper.core.target import ScoreKind
from temper.core.trees import TreeEnsemble
from temper.targets._trees_build import Array, Nodes, Rule, among, assemble, below
from temper.targets._trees_ubj import decode
from temper.targets.frame import Coding

_LOGISTIC = ("binary:logistic", "reg:logistic")
_PLAIN = ("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror")
_FIELDS = ("split_indices", "split_conditions", "left_children", "right_children", "default_left")


def readable(booster: Any, objective: str, kind: ScoreKind) -> bool:
    """Whether the scores are sums of trees and one of the links: no linear booster, no exponential of a sum."""
    config = json.loads(booster.save_config())["learner"]
    several = int(config["learner_model_param"].get("num_target", "1")) > 1
    if config["gradient_booster"]["name"] == "gblinear" or several:
        return False
    if config["learner_train_param"].get("multi_strategy") == "multi_output_tree":
        return False
    return kind is not ScoreKind.VALUE or objective in _PLAIN or objective.startswith("rank:")


def ensemble(booster: Any, rounds: int, kind: ScoreKind, codes: Coding) -> TreeEnsemble:
    """The first `rounds` of the model (all where 0) with the link its kind of scores needs."""
    learner = decode(bytes(booster.save_raw("ubj")))["learner"]
    model, weights = _model(learner["gradient_booster"])
    count = int(model["iteration_indptr"][rounds]) if rounds else len(model["trees"])
    objective, params = learner["objective"]["name"], learner["learner_model_param"]
    outputs = max(int(params["num_class"]), 1)
    trees = model["trees"][:count]
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        raise Unsupported("this XGBoost model has several values per leaf", fix="train one tree per output")
    nodes = _nodes(trees, np.asarray(model["tree_info"][:count], dtype=np.int64), outputs, weights)
    link = {ScoreKind.PROBABILITIES: "sigmoid" if outputs == 1 else "softmax"}.get(kind, "identity")
    return assemble(nodes, _base(params, objective, outputs), int(params["num_feature"]), link, codes)


def _model(booster: dict[str, Any]) -> tuple[dict[str, Any], Array]:
    """The trees' part of the document and each tree's weight."""
    if booster["name"] == "dart":
        model: dict[str, Any] = booster["gbtree"]["model"]
        return model, np.asarray(booster["weight_drop"], dtype=np.float64)
    model = booster["model"]
    return model, np.ones(len(model["trees"]))


def _base(params: dict[str, Any], objective: str, outputs: int) -> Array:
    """Where the margins start: stored as a probability where the objective is logistic."""
    stored = [float(part) for part in str(params["base_score"]).strip("[]").split(",")]
    if objective in _LOGISTIC:
        stored = [math.log(p / (1.0 - p)) for p in stored]
    return np.broadcast_to(np.asarray(stored), (outputs,))


def _nodes(trees: list[dict[str, Any]], groups: Array, outputs: int, weights: Array) -> Nodes:
    """All trees in one set of arrays."""
    sizes = np.array([len(tree["left_children"]) for tree in trees], dtype=np.int64)
    start = np.cumsum(sizes) - sizes
    owner = np.repeat(np.arange(len(trees)), sizes)
    column, cut, left, right, default = (_joined(trees, name) for name in _FIELDS)
    leaf = left < 0
    value = np.zeros((len(leaf), outputs))
    value[np.flatnonzero(leaf), groups[owner[leaf]]] = cut[leaf] * weights[owner[leaf]]
    return Nodes(
        feature=np.where(leaf, -1, column),
        threshold=below(cut),
        left=left + start[owner],
        right=right + start[owner],
        missing_left=default.astype(bool),
        value=value,
        root=start,
        rules=_rules(trees, start),
    )


def _joined(trees: list[dict[str, Any]], name: str) -> Array:
    return np.concatenate([np.asarray(tree[name]) for tree in trees]) if trees else np.empty(0, dtype=np.int64)


def _rules(trees: list[dict[str, Any]], start: Array) -> dict[int, Rule]:
    """The splits on categories: a value counts as the category it is cut off to."""
    rules = {}
    for tree, first in zip(trees, start, strict=True):
        for node, begin, size in zip(
            tree.get("categories_nodes", ()),
            tree.get("categories_segments", ()),
            tree.get("categories_sizes", ()),
            strict=True,
        ):
            listed = np.asarray(tree["categories"][begin : begin + size])
            pieces = list(zip(below(listed).tolist(), below(listed + 1).tolist(), strict=True))
            rules[int(first + node)] = among(pieces, inside=False, missing=bool(tree["default_left"][node]))
    return rules
