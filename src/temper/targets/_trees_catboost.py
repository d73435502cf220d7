"""CatBoost's trees: `float32(x) > border` to the right, one-hot categories by hash, one scale and shift of all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.target import ScoreKind
from temper.core.trees import TreeEnsemble
from temper.targets._trees_build import Array, Nodes, Rule, among, assemble, at_most_single

Split = dict[str, Any]


def document(model: Any, pool: Any = None) -> dict[str, Any]:
    """The model in CatBoost's own JSON; with a pool, the hashes of the pool's categories too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json", pool=pool)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def readable(model: Any, kind: ScoreKind, levels: dict[int, int]) -> bool:
    """Whether every split asks a number or one category: no statistics of categories, no texts, no embeddings."""
    if model.get_text_feature_indices() or model.get_embedding_feature_indices():
        return False
    flags = model.get_cat_feature_indices()
    if not flags:
        return True
    return all(at in levels for at in flags) and not document(model)["features_info"].get("ctrs")


def ensemble(model: Any, kind: ScoreKind, shown: Callable[[Array], Any], levels: dict[int, int]) -> TreeEnsemble:
    """The model's trees over the Schema's columns.

    `shown` gives the rows (n, d) as the model takes them; `levels` is the number of codes of each category column.
    """
    width = len(model.feature_names_)
    written, hashes = _written(model, shown, width, {at: levels[at] for at in model.get_cat_feature_indices()})
    scale, bias = written["scale_and_bias"]
    nodes = _Reader(written["features_info"], hashes, len(bias), float(scale)).nodes(written)
    link = {ScoreKind.PROBABILITIES: "sigmoid" if len(bias) == 1 else "softmax"}.get(kind, "identity")
    return assemble(nodes, np.asarray(bias), width, link)


def _written(
    model: Any, shown: Callable[[Array], Any], width: int, levels: dict[int, int]
) -> tuple[dict[str, Any], dict[int, list[int]]]:
    """The model in JSON, and per category column the hash of each code and, last, of a missing one."""
    if not levels:
        return document(model), {}
    import catboost
    import pandas as pd

    # Apart, because a gap in a column of whole numbers makes the others fractions.
    frame = pd.concat([shown(_every_code(width, levels)), shown(_nothing(width, levels))])
    written = document(model, catboost.Pool(frame, cat_features=list(levels)))
    known = {entry["value"]: int(entry["hash"]) for entry in written["features_info"]["cat_features_hash"]}
    signed = {name: value - 2**32 if value >= 2**31 else value for name, value in known.items()}
    names = {at: frame.iloc[:, at].astype(str).tolist() for at in levels}
    return written, {at: [signed[name] for name in (*names[at][:n], names[at][-1])] for at, n in levels.items()}


def _every_code(width: int, levels: dict[int, int]) -> Array:
    """Rows that show every code of every category column."""
    rows = np.zeros((max(levels.values()), width))
    for at, count in levels.items():
        rows[:, at] = np.minimum(np.arange(len(rows)), count - 1)
    return rows


def _nothing(width: int, levels: dict[int, int]) -> Array:
    """One row whose categories are all missing."""
    row = np.zeros((1, width))
    row[:, list(levels)] = np.nan
    return row


class _Reader:
    """Trees of both shapes as nodes: a split's left is where it is false."""

    def __init__(self, info: dict[str, Any], hashes: dict[int, list[int]], outputs: int, scale: float) -> None:
        self.floats = {f["feature_index"]: f for f in info.get("float_features", ())}
        self.categories = {f["feature_index"]: f["flat_feature_index"] for f in info.get("categorical_features", ())}
        self.hashes, self.outputs, self.scale = hashes, outputs, scale
        self.feature: list[Array] = []
        self.threshold: list[Array] = []
        self.left: list[Array] = []
        self.missing: list[Array] = []
        self.right: list[Array] = []
        self.value: list[Array] = []
        self.rules: dict[int, Rule] = {}
        self.size = 0

    def nodes(self, written: dict[str, Any]) -> Nodes:
        """All trees."""
        root = [self.level(tree) for tree in written.get("oblivious_trees", ())]
        root += [self.branch(tree) for tree in written.get("trees", ())]
        return Nodes(
            feature=np.concatenate(self.feature),
            threshold=np.concatenate(self.threshold),
            left=np.concatenate(self.left),
            right=np.concatenate(self.right),
            missing_left=np.concatenate(self.missing),
            value=np.concatenate(self.value) * self.scale,
            root=np.array(root),
            rules=self.rules,
        )

    def level(self, tree: dict[str, Any]) -> int:
        """An oblivious tree: one split per level, the last of them at the root."""
        asked = [self.split(split) for split in reversed(tree.get("splits") or ())]
        depth, start = len(asked), self.size
        levels = np.repeat(np.arange(depth), 2 ** np.arange(depth))
        inner = len(levels)
        self.add(
            np.array([split[0] for split in asked], dtype=np.int64)[levels],
            np.array([split[1] for split in asked], dtype=np.float64)[levels],
            np.array([split[2] for split in asked], dtype=bool)[levels],
            start + 2 * np.arange(inner) + 1,
            start + 2 * np.arange(inner) + 2,
            np.zeros((inner, self.outputs)),
        )
        for at, level in enumerate(levels):
            self.ruled(start + at, asked[level][3])
        self.leaves(np.asarray(tree["leaf_values"], dtype=np.float64).reshape(-1, self.outputs))
        return start

    def branch(self, tree: dict[str, Any]) -> int:
        """A tree of any shape, walked without recursion; children are linked once they have a place."""
        start, waiting, order = self.size, [tree], []
        children: list[tuple[int, int]] = []
        while waiting:
            node = waiting.pop()
            order.append(node)
            if "split" in node:
                waiting += [node["right"], node["left"]]
        place = {id(node): start + at for at, node in enumerate(order)}
        for node in order:
            children.append((place[id(node["left"])], place[id(node["right"])]) if "split" in node else (-1, -1))
        asked = [self.split(node["split"]) if "split" in node else (-1, 0.0, False, None) for node in order]
        value = np.zeros((len(order), self.outputs))
        for at, node in enumerate(order):
            if "split" not in node:
                value[at] = node["value"]
            self.ruled(start + at, asked[at][3])
        columns = [np.array(part) for part in zip(*(split[:3] for split in asked), strict=True)]
        links = np.array(children)
        self.add(columns[0], columns[1], columns[2], links[:, 0], links[:, 1], value)
        return start

    def split(self, split: Split) -> tuple[int, float, bool, Rule | None]:
        """(column, cut, where what is missing goes, the rule if it asks a category)."""
        if split["split_type"] == "OneHotFeature":
            column = self.categories[split["cat_feature_index"]]
            *codes, missing = (value == split["value"] for value in self.hashes[column])
            pieces = [(float(code), code + 1.0) for code, hit in enumerate(codes) if hit]
            return column, 0.0, not missing, among(pieces, inside=False, missing=not missing)
        asked = self.floats[split["float_feature_index"]]
        cut = float(at_most_single(np.array([split["border"]]))[0])
        return asked["flat_feature_index"], cut, asked["nan_value_treatment"] != "AsTrue", None

    def ruled(self, at: int, rule: Rule | None) -> None:
        if rule is not None:
            self.rules[at] = rule

    def leaves(self, value: Array) -> None:
        none = np.full(len(value), -1)
        self.add(none, np.zeros(len(value)), np.zeros(len(value), dtype=bool), none, none, value)

    def add(self, feature: Array, threshold: Array, missing: Array, left: Array, right: Array, value: Array) -> None:
        parts = (self.feature, self.threshold, self.missing, self.left, self.right, self.value)
        for kept, part in zip(parts, (feature, threshold, missing, left, right, value), strict=True):
            kept.append(part)
        self.size += len(feature)
