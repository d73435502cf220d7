"""LightGBM's trees: `x <= threshold` in float64, three ways to be missing, listed categories to the left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from temper.core.target import ScoreKind
from temper.core.trees import TreeEnsemble
from temper.targets._trees_build import Array, Nodes, Rule, among, assemble, at_most
from temper.targets.frame import Coding

_CATEGORY, _DEFAULT_LEFT = 1, 2
_NEVER, _ZERO = 0, 1
_NEAR_ZERO = float(np.float32(1e-35))
_PLAIN = ("", "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg", "custom")
_FIELDS = {
    "split_feature": np.int64,
    "threshold": np.float64,
    "decision_type": np.int64,
    "left_child": np.int64,
    "right_child": np.int64,
    "leaf_value": np.float64,
    "cat_boundaries": np.int64,
    "cat_threshold": np.int64,
}


def readable(booster: Any, objective: str, kind: ScoreKind) -> bool:
    """Whether the scores are sums of constant leaves and one of the links: no linear leaves, no exponential."""
    text = booster.model_to_string(num_iteration=1)
    if "is_linear=1" in text or re.search(r"^objective=.* sqrt", text, re.MULTILINE):
        return False
    return kind is not ScoreKind.VALUE or objective in _PLAIN


def ensemble(booster: Any, kind: ScoreKind, codes: Coding) -> TreeEnsemble:
    """The rounds that predict, with the link the kind of scores needs."""
    head, *blocks = booster.model_to_string().split("\nTree=")
    trees = [_fields(block) for block in blocks]
    outputs = int(_setting(head, "num_tree_per_iteration", "1"))
    link = {ScoreKind.PROBABILITIES: "sigmoid" if outputs == 1 else "softmax"}.get(kind, "identity")
    slope = float(_setting(head, r"objective=.*sigmoid:", "1", "")) if link == "sigmoid" else 1.0
    if re.search(r"^average_output$", head, re.MULTILINE):
        slope /= max(len(trees) // outputs, 1)
    nodes = _nodes(trees, outputs, slope)
    return assemble(nodes, np.zeros(outputs), int(_setting(head, "max_feature_idx", "0")) + 1, link, codes)


def _setting(head: str, name: str, otherwise: str, sign: str = "=") -> str:
    found = re.search(rf"^{name}{sign}(\S+)", head, re.MULTILINE)
    return found.group(1) if found else otherwise


def _fields(block: str) -> dict[str, Array]:
    """The arrays of one tree."""
    found = {name: np.empty(0, dtype=kind) for name, kind in _FIELDS.items()}
    for line in block.split("\n\n", 1)[0].splitlines():
        name, _, text = line.partition("=")
        if name in _FIELDS:
            found[name] = np.array(text.split(), dtype=_FIELDS[name])
    return found


def _nodes(trees: list[dict[str, Array]], outputs: int, slope: float) -> Nodes:
    """All trees in one set of arrays: of each its splits, then its leaves."""
    splits = np.array([len(tree["split_feature"]) for tree in trees], dtype=np.int64)
    leaves = np.array([len(tree["leaf_value"]) for tree in trees], dtype=np.int64)
    start = np.cumsum(splits + leaves) - splits - leaves
    size = int((splits + leaves).sum())
    at = np.repeat(start - (np.cumsum(splits) - splits), splits) + np.arange(splits.sum())
    leaf = np.repeat(start + splits - (np.cumsum(leaves) - leaves), leaves) + np.arange(leaves.sum())
    parts = {name: np.concatenate([tree[name] for tree in trees]) for name in _FIELDS} if trees else _fields("")
    first, past = np.repeat(start, splits), np.repeat(start + splits, splits)
    group = np.repeat(np.arange(len(trees)) % outputs, leaves)
    feature, threshold = np.full(size, -1), np.zeros(size)
    left, right, missing = np.full(size, -1), np.full(size, -1), np.zeros(size, dtype=bool)
    value = np.zeros((size, outputs))
    feature[at], threshold[at] = parts["split_feature"], _cuts(parts["threshold"])
    left[at], right[at] = (np.where(c >= 0, first + c, past + ~c) for c in (parts["left_child"], parts["right_child"]))
    missing[at] = _missing_left(parts["decision_type"], parts["threshold"])
    value[leaf, group] = parts["leaf_value"] * slope
    rules = dict(_rules(trees, start))
    return Nodes(
        feature=feature,
        threshold=threshold,
        left=left,
        right=right,
        missing_left=missing,
        value=value,
        root=start,
        rules=rules,
    )


def _cuts(threshold: Array) -> Array:
    """What is as near to zero as this is read as zero, so no cut lies among it."""
    near = (threshold >= -_NEAR_ZERO) & (threshold < _NEAR_ZERO)
    ends = np.where(threshold >= 0.0, np.nextafter(_NEAR_ZERO, np.inf), -_NEAR_ZERO)
    return np.where(near, ends, at_most(threshold))


def _missing_left(decision: Array, threshold: Array) -> Array:
    """Where NaN goes: a split that never met one takes it for zero."""
    never = (decision >> 2) & 3 == _NEVER
    return np.where(never, threshold >= 0.0, decision & _DEFAULT_LEFT > 0)


def _rules(trees: list[dict[str, Array]], start: Array) -> Iterator[tuple[int, Rule]]:
    """The splits that one threshold cannot say: on categories, and where zero is missing."""
    for tree, first in zip(trees, start, strict=True):
        decision = tree["decision_type"]
        for node in np.flatnonzero((decision & _CATEGORY) > 0):
            yield int(first + node), _listed(tree, int(tree["threshold"][node]))
        for node in np.flatnonzero(((decision & _CATEGORY) == 0) & ((decision >> 2) & 3 == _ZERO)):
            rule = _zero_missing(float(tree["threshold"][node]), bool(decision[node] & _DEFAULT_LEFT))
            yield int(first + node), rule


def _listed(tree: dict[str, Array], which: int) -> Rule:
    """A bit per category; a value counts as the category it is cut off to, so 0 begins just above -1."""
    begin, end = tree["cat_boundaries"][which : which + 2]
    words = tree["cat_threshold"][begin:end].astype(np.uint32)
    listed = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
    pieces = [(float(c) if c else float(np.nextafter(-1.0, 0.0)), float(c + 1)) for c in listed]
    return among(pieces, inside=True, missing=False)


def _zero_missing(threshold: float, default: bool) -> Rule:
    """Zero, give or take, and NaN go the default way."""
    zero = (-_NEAR_ZERO, float(np.nextafter(_NEAR_ZERO, np.inf)))
    cut = float(_cuts(np.array(threshold)))
    cuts = tuple(sorted({*zero, cut}))
    starts = (-np.inf, *cuts)
    return Rule(cuts, tuple(default if zero[0] <= s < zero[1] else s < cut for s in starts), default)
