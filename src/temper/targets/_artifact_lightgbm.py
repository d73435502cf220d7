"""LightGBM's text: whole, of the sizes it says, and its trees point at nothing outside themselves."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

import numpy as np

from temper.targets._artifact_seen import Seen
from temper.targets._artifact_trees import lightgbm_trees, numbers, within
from temper.targets._unwrap import Refused

_FEATURES = re.compile(rb"^max_feature_idx=(\d+)$", re.MULTILINE)
_TREES = re.compile(rb"^tree_sizes=([\d ]*)$", re.MULTILINE)
_LISTS = rb"split_feature|threshold|decision_type|left_child|right_child|leaf_value|cat_boundaries|cat_threshold"
_LINEAR = (b"leaf_const", b"num_features", b"leaf_features", b"leaf_coeff")
_NAMES = (rb"Tree|num_leaves|num_cat|is_linear", _LISTS, *_LINEAR)
_LINES = re.compile(rb"\n(" + b"|".join(_NAMES) + rb")=(.*)")
_HEAD = 1 << 26


def lightgbm_text(content: Any, seen: Seen) -> None:
    """A LightGBM model text: its trees are as long as it says and point at features and nodes that exist.

    Source: LightGBM's gbdt_model_text.cpp and tree.cpp, which trust these numbers.
    """
    features, sizes = _FEATURES.search(content, 0, _HEAD), _TREES.search(content, 0, _HEAD)
    if features is None or sizes is None:
        raise Refused("it is no whole LightGBM model (its header lacks max_feature_idx or tree_sizes)")
    if not sizes[1].strip():
        return
    *starts, end = accumulate(map(int, sizes[1].split()), initial=content.find(b"\nTree=0") + 1)
    if content.find(b"end of trees", max(end - 1, 0), end + 64) < 0:
        raise Refused("it is no whole LightGBM model (its trees do not end where it says)")
    trees = _lightgbm_trees(content, starts, end)
    for tree in trees:
        _whole(tree, int(features[1]) + 1)
    _lightgbm_forest(trees, int(features[1]) + 1)


def _lightgbm_trees(content: Any, starts: list[int], end: int) -> list[dict[bytes, bytes]]:
    """The lines of every tree that say where a walk goes, by their names.

    LightGBM takes the last of a name that comes twice, and a line may end in other ways: neither is ever written.
    """
    trees: list[dict[bytes, bytes]] = []
    lines = _LINES.findall(content, starts[0] - 1, end)
    for name, value in lines:
        if name == b"Tree":
            trees.append({})
        trees[-1][name] = value
    if len(trees) != len(starts) or any(content[at - 1 : at + 5] != b"\nTree=" for at in starts):
        raise Refused("it is no whole LightGBM model (its trees do not begin where it says)")
    if sum(map(len, trees)) < len(lines) or content.find(b"\r", starts[0], end) >= 0:
        raise Refused("it is no whole LightGBM model (a line of a tree is there twice, or ends in another way)")
    return trees


def _whole(tree: dict[bytes, bytes], features: int) -> None:
    if b"num_leaves" not in tree:
        raise Refused("it is no whole LightGBM model (a tree does not say how many leaves it has)")
    leaves = int(tree[b"num_leaves"])
    if leaves > 1:
        for name, count in ((b"leaf_value", leaves), (b"threshold", leaves - 1), (b"decision_type", leaves - 1)):
            listed = tree.get(name, b"").rstrip()
            if listed.count(b" ") + bool(listed) != count:
                told = f"a tree has another number of {name.decode()} than it says"
                raise Refused(f"it is no whole LightGBM model ({told})")
        if tree.get(b"num_cat", b"0") != b"0":
            _categories(tree)
    if tree.get(b"is_linear", b"0") != b"0":
        _linear(tree, leaves, features)


def _linear(tree: dict[bytes, bytes], leaves: int, features: int) -> None:
    """Every leaf with a line of its own has as many slopes as columns, and these columns are there."""
    const, counts, columns, slopes = (tree.get(name, b"").split() for name in _LINEAR)
    asked = np.array(counts, np.int64)
    if not len(const) == len(counts) == leaves or not asked.sum() == len(columns) == len(slopes) or np.any(asked < 0):
        raise Refused("it is no whole LightGBM model (the lines in its leaves are not whole)")
    within(np.array(columns, np.int64), features, "a column of a line in a leaf")


def _categories(tree: dict[bytes, bytes]) -> None:
    """The sets of categories that a tree's splits ask for are there."""
    (kinds, _), (ends, _) = numbers([tree[b"decision_type"]], b" "), numbers([tree.get(b"cat_boundaries", b"")], b" ")
    asked = np.array(tree[b"threshold"].split(), float)[kinds % 2 == 1]
    within(asked, int(tree[b"num_cat"]), "a set of categories")
    words = tree.get(b"cat_threshold", b"").count(b" ") + 1
    if len(ends) != int(tree[b"num_cat"]) + 1 or ends[0] != 0 or np.any(np.diff(ends) < 0) or ends[-1] > words:
        raise Refused("it is no whole LightGBM model (its sets of categories are not whole)")


def _lightgbm_forest(trees: list[dict[bytes, bytes]], features: int) -> None:
    leaves = np.array([int(tree[b"num_leaves"]) for tree in trees], np.int64)
    grown = [tree for tree, count in zip(trees, leaves, strict=True) if count > 1]
    leaves = leaves[leaves > 1]
    columns = (b"left_child", b"right_child", b"split_feature")
    (left, counts), (right, others), (column, third) = (
        numbers([tree.get(name, b"").rstrip() for tree in grown], b" ") for name in columns
    )
    if any(np.any(count != leaves - 1) for count in (counts, others, third)):
        raise Refused("it is no whole LightGBM model (a tree has other splits than it says)")
    lightgbm_trees(left, right, column, leaves, features)
