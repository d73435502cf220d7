"""LightGBM's text: whole, of the sizes it says, and its trees point at nothing outside themselves."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from temper.targets._artifact_seen import Seen
from temper.targets._artifact_trees import lightgbm_trees, numbers, within
from temper.targets._unwrap import Refused

_FEATURES = re.compile(rb"^max_feature_idx=(\d+)$", re.MULTILINE)
_TREES = re.compile(rb"^tree_sizes=([\d ]*)$", re.MULTILINE)


def lightgbm_text(content: Any, seen: Seen) -> None:
    """A LightGBM model text: its trees are as long as it says and point at features and nodes that exist.

    Source: LightGBM's gbdt_model_text.cpp and tree.cpp, which trust these numbers.
    """
    head = bytes(content[: 1 << 26])
    features, sizes = _FEATURES.search(head), _TREES.search(head)
    if features is None or sizes is None:
        raise Refused("it is no whole LightGBM model (its header lacks max_feature_idx or tree_sizes)")
    at = content.find(b"\nTree=0") + 1 if sizes[1] else 0
    trees = []
    for size in map(int, sizes[1].split()):
        trees.append(_lightgbm_tree(bytes(content[at : at + size])))
        at += size
    if content.find(b"end of trees", max(at - 1, 0), max(at, 0) + 64) < 0 and sizes[1]:
        raise Refused("it is no whole LightGBM model (its trees do not end where it says)")
    _lightgbm_forest(trees, int(features[1]) + 1)


def _lightgbm_tree(block: bytes) -> dict[bytes, bytes]:
    """The lines of a tree by their names; of a name that comes twice LightGBM takes the last."""
    lines = [line.partition(b"=")[::2] for line in block.splitlines() if line]
    tree = dict(lines)
    if not block.startswith(b"Tree=") or b"num_leaves" not in tree or len(tree) < len(lines):
        raise Refused("it is no whole LightGBM model (a tree is missing, or a line is there twice)")
    leaves = int(tree[b"num_leaves"])
    for name, count in ((b"leaf_value", leaves), (b"threshold", leaves - 1), (b"decision_type", leaves - 1)):
        listed = tree.get(name, b"").rstrip()
        if leaves > 1 and listed.count(b" ") + bool(listed) != count:
            raise Refused(f"it is no whole LightGBM model (a tree has another number of {name.decode()} than it says)")
    if leaves > 1 and tree.get(b"num_cat", b"0") != b"0":
        _categories(tree)
    return tree


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
