"""Boosters' files whose trees lead outside or in circles are found before a library runs after them."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.kernels import ubj
from temper.targets._artifact_trees import lightgbm_trees, rooted
from temper.targets._unwrap import Refused
from temper.targets.artifact import scan

X = np.arange(400.0).reshape(100, 4) % 17
Y = (X[:, 0] > 8).astype(int)


def xgboosts() -> Iterator[Any]:
    """A booster of every kind that XGBoost writes in its own way."""
    import xgboost

    many = {"n_estimators": 3, "max_depth": 3}
    yield xgboost.XGBClassifier(**many).fit(X, Y)
    yield xgboost.XGBClassifier(**many, tree_method="exact", gamma=3.0).fit(X, Y)
    yield xgboost.XGBClassifier(**many, booster="dart").fit(X, Y)
    yield xgboost.XGBClassifier(n_estimators=2, booster="gblinear").fit(X, Y)
    yield xgboost.XGBClassifier(**many, num_parallel_tree=2).fit(X, (X[:, 0] // 5).astype(int))
    yield xgboost.XGBClassifier(n_estimators=40).fit(X, np.arange(100) % 3)
    yield xgboost.XGBRegressor(**many, multi_strategy="multi_output_tree", tree_method="hist").fit(X, X[:, :2])
    yield xgboost.XGBRegressor(**many).fit(X, X[:, :3])
    kinds = ["c", "q", "q", "q"]
    yield xgboost.XGBClassifier(**many, feature_types=kinds, enable_categorical=True, max_cat_to_onehot=2).fit(X, Y)


@pytest.mark.filterwarnings("ignore")
def test_ordinary_boosters_of_xgboost_pass(tmp_path: Path) -> None:
    for number, model in enumerate(xgboosts()):
        for ending in ("json", "ubj"):
            path = tmp_path / f"{number}.{ending}"
            model.get_booster().save_model(path)
            assert scan(path).findings == (), path.name


@pytest.mark.filterwarnings("ignore")
def test_ordinary_boosters_of_lightgbm_pass(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    few = {"n_estimators": 3, "min_child_samples": 2, "verbose": -1}
    models = [
        lightgbm.LGBMClassifier(**few).fit(X, Y),
        lightgbm.LGBMClassifier(**few).fit(X, np.zeros(100)),
        lightgbm.LGBMClassifier(**few).fit(X, np.arange(100) % 3),
        lightgbm.LGBMRegressor(**few, linear_tree=True).fit(X, X[:, 1]),
        lightgbm.LGBMClassifier(**few, min_data_per_group=2, cat_smooth=0.1).fit(X, Y, categorical_feature=[0, 1]),
        lightgbm.LGBMClassifier(**few, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5).fit(X, Y),
    ]
    for number, model in enumerate(models):
        path = tmp_path / f"{number}.txt"
        model.booster_.save_model(path)
        assert scan(path).findings == ()


def model() -> dict[str, Any]:
    """An XGBoost document."""
    booster = next(xgboosts()).get_booster()
    return json.loads(bytes(booster.save_raw("json")))


def inside(document: dict[str, Any]) -> dict[str, Any]:
    """The part with the trees."""
    return document["learner"]["gradient_booster"]["model"]


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an output outside, where XGBoost writes": lambda d: inside(d).update(tree_info=[0, 0, 7]),
    "a negative output": lambda d: inside(d).update(tree_info=[0, -1, 0]),
    "fewer outputs than trees": lambda d: inside(d).update(tree_info=[0, 0]),
    "two parents": lambda d: inside(d)["trees"][1]["right_children"].__setitem__(0, 1),
    "the root as a child": lambda d: inside(d)["trees"][2]["left_children"].__setitem__(1, 0),
    "a child of minus two": lambda d: inside(d)["trees"][0]["left_children"].__setitem__(0, -2),
    "a number too large for a number": lambda d: inside(d)["trees"][0]["left_children"].__setitem__(0, 10**30),
    "half a number": lambda d: inside(d)["trees"][0]["left_children"].__setitem__(0, 1.5),
    "a text": lambda d: inside(d)["trees"][0]["left_children"].__setitem__(0, "1"),
    "no features": lambda d: d["learner"]["learner_model_param"].update(num_feature="0"),
    "no number of features": lambda d: d["learner"]["learner_model_param"].update(num_feature="many"),
    "no arrays": lambda d: inside(d)["trees"][0].pop("split_indices"),
    "a parent outside": lambda d: inside(d)["trees"][0]["parents"].__setitem__(1, 10**8),
    "a negative parent": lambda d: inside(d)["trees"][0]["parents"].__setitem__(1, -2),
    "a set of categories that is not there": lambda d: inside(d)["trees"][0].update(
        {"categories_nodes": [0], "categories_segments": [0], "categories_sizes": [1]}
    ),
    "a set of categories from outside": lambda d: inside(d)["trees"][1].update(
        {"categories": [3], "categories_nodes": [0], "categories_segments": [10**8], "categories_sizes": [1]}
    ),
    "sets of categories without sizes": lambda d: inside(d)["trees"][1].update(
        {"categories": [3], "categories_nodes": [0, 1], "categories_segments": [0]}
    ),
    "an empty tree": lambda d: inside(d)["trees"][0].update(
        {key: [] for key in ("left_children", "right_children", "split_indices", "split_conditions", "parents")}
    ),
    "a config beside": lambda d: d.update(class_name="Lambda", config={}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_tree_is_a_finding(change: str, tmp_path: Path) -> None:
    document = model()
    path = tmp_path / "m.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert scan(path).safe
    CHANGES[change](document)
    path.write_text(json.dumps(document), encoding="utf-8")
    assert scan(path).findings


@pytest.mark.parametrize("fast", [True, False])
def test_a_changed_tree_of_a_ubj_is_a_finding(fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr(ubj, "sys", type("Sys", (), {"modules": {}}))
    plain = bytes(next(xgboosts()).get_booster().save_raw("ubj"))
    path = tmp_path / "m.ubj"

    def told(content: bytes) -> tuple[str, ...]:
        path.write_bytes(content)
        return scan(path).findings

    assert told(plain) == ()
    for key, width in ((b"left_children", 4), (b"right_children", 4), (b"split_indices", 4), (b"parents", 4)):
        at = plain.index(key + b"[$l#L") + len(key) + 5 + 8
        assert told(plain[:at] + struct.pack(">i", 1 << 20) + plain[at + width :])
    info = plain.index(b"tree_info[#L") + 12 + 8
    assert plain[info : info + 2] == b"i\x00"
    assert told(plain[: info + 1] + b"\x07" + plain[info + 2 :]) == ("the output of a tree points outside",)
    assert told(plain[:-1])
    assert told(plain[: len(plain) // 2])
    assert told(plain + b"N")


def lightgbm_model(**lines: str) -> bytes:
    """A LightGBM text of one tree of three leaves, with some lines changed; LightGBM reads it."""
    tree = {
        "Tree": "0", "num_leaves": "3", "num_cat": "0", "split_feature": "0 1", "split_gain": "1 1", "threshold": "1 2",
        "decision_type": "2 2", "left_child": "1 -1", "right_child": "-2 -3", "leaf_value": "1 2 3", "shrinkage": "1",
    } | lines  # fmt: skip
    block = "".join(f"{name}={value}\n" for name, value in tree.items()) + "\n\n"
    head = f"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\ntree_sizes={len(block)}\n\n"
    return (head + block + "end of trees\n").encode()


LINEAR = {"is_linear": "1", "leaf_const": "1 2 3", "num_features": "1 1 0"}
LINEAR |= {"leaf_features": "0  1  ", "leaf_coeff": "1  2  "}


@pytest.mark.parametrize("lines", [
    {"left_child": "1 0"}, {"left_child": "1 1"}, {"left_child": "1 -4"}, {"right_child": "-2 2"},
    {"left_child": "1 -1 -1"}, {"left_child": "1 x"}, {"left_child": "1  -1"}, {"split_feature": "0 2"},
    {"right_child": "-1 -3"}, {"threshold": "1"}, {"leaf_value": "1 2"}, {"decision_type": "2"},
    {"split_gain": "1 1\rleft_child=0 0"}, {"shrinkage": "1\nleft_child=0 0"}, {"num_leaves": "300"},
    {"num_cat": "1", "decision_type": "1 2", "threshold": "4 2", "cat_boundaries": "0 1", "cat_threshold": "5"},
    {"num_cat": "1", "decision_type": "1 2", "threshold": "0 2", "cat_boundaries": "0 9", "cat_threshold": "5"},
    {"num_cat": "1", "decision_type": "1 2", "threshold": "inf 2", "cat_boundaries": "0 1", "cat_threshold": "5"},
    {"num_cat": "1", "decision_type": "1 2", "threshold": "nan 2", "cat_boundaries": "0 1", "cat_threshold": "5"},
    {"num_cat": "1", "decision_type": "1 2", "threshold": "0 2", "cat_boundaries": "", "cat_threshold": "5"},
    {"num_cat": "x"}, {"decision_type": ""}, {"is_linear": "1"}, LINEAR | {"leaf_features": "0  2  "},
    LINEAR | {"leaf_features": "0  -1  "}, LINEAR | {"num_features": "1 2 0"}, LINEAR | {"num_features": "3 -1 0"},
    LINEAR | {"leaf_coeff": "1"}, LINEAR | {"leaf_const": "1 2"}, LINEAR | {"leaf_features": "0 1\rleaf_features=9 9"},
], ids=str)  # fmt: skip
def test_a_changed_tree_of_a_text_is_a_finding(lines: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "m.txt"
    for whole in ({}, LINEAR):
        path.write_bytes(lightgbm_model(**whole))
        assert scan(path).safe
    path.write_bytes(lightgbm_model(**lines))
    assert scan(path).findings


def walk_ends(left: list[int], right: list[int]) -> bool:
    """Whether every walk from the root stays inside and ends, by walking."""
    waiting, steps = [0], 0
    while waiting:
        node = waiting.pop()
        steps += 1
        if steps > 200 or not 0 <= node < len(left):
            return False
        waiting += [] if left[node] == -1 else [left[node], right[node]]
    return True


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 8), st.integers(0, 8)), min_size=1, max_size=8))
def test_what_is_let_through_ends(pairs: list[tuple[int, int]]) -> None:
    left, right = np.array(pairs).T
    inner = left != -1
    try:
        rooted(np.concatenate([left[inner], right[inner]]), np.zeros(2 * inner.sum(), int), np.array([len(left)]))
    except Refused:
        return
    assert walk_ends(left.tolist(), right.tolist())


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 30), st.randoms(use_true_random=False))
def test_grown_trees_are_let_through(leaves: int, random: Any) -> None:
    """Splitting a random leaf again and again, as LightGBM numbers it."""
    left, right, parent = [], [], {0: None}
    for split in range(leaves - 1):
        leaf = random.choice(list(parent))
        if parent[leaf] is not None:
            side, node = parent[leaf]
            side[node] = split
        left.append(~leaf)
        right.append(~(split + 1))
        parent[leaf], parent[split + 1] = (left, split), (right, split)
    lightgbm_trees(np.array(left), np.array(right), np.zeros(leaves - 1, int), np.array([leaves]), 1)


def packed(item: Any) -> bytes:
    """A value as XGBoost writes it."""

    def text(word: str) -> bytes:
        return b"L" + struct.pack(">q", len(word.encode())) + word.encode()

    if isinstance(item, dict):
        return b"{" + b"".join(text(key) + packed(value) for key, value in item.items()) + b"}"
    if isinstance(item, list):
        return b"[#L" + struct.pack(">q", len(item)) + b"".join(map(packed, item))
    if isinstance(item, np.ndarray):
        return b"[$l#L" + struct.pack(">q", len(item)) + item.astype(">i4").tobytes()
    if isinstance(item, str):
        return b"S" + text(item)
    return b"T" if item is True else b"i" + struct.pack(">b", item)


documents = st.dictionaries(st.sampled_from(["a", "b", "trees", "ab"]), st.recursive(
    st.text("xyzé", max_size=3) | st.integers(-9, 9) | st.just(True)
    | st.lists(st.integers(-9, 9), max_size=4).map(lambda items: np.array(items, np.int32)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=12,
))  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(documents, st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_compiled_and_plain_walks_are_one(document: Any, at: int, byte: int, damage: bool) -> None:
    """On whole and on damaged documents; whole ones are walked to their end."""
    content = packed(document)
    if damage:
        content = content[: at % len(content)] + bytes([byte]) + content[at % len(content) + 1 :]
    told = []
    for modules in ({}, {"numba": None}):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ubj, "sys", type("Sys", (), {"modules": modules}))
            try:
                rows, end = ubj.walked(content, [b"a", b"trees"])
                told.append((rows.tolist(), end))
            except ValueError as fault:
                told.append(str(fault))
    assert told[0] == told[1]
    if not damage:
        assert told[0][1] == len(content)
        assert len(told[0][0]) == len(re.findall(rb"L\x00{7}(?:\x01a|\x05trees)", content))


WORDS = (b"1e400", b"-1", b"9" * 20, b"nan", b"null", b"[]", b"{}", b"\x00", b" ", b"=", b"\n", b"\r", b'"', b"1 2")


def damaged(content: bytes, random: Any) -> bytes:
    """A file with a byte changed, some lost, a word put in, or a number exchanged."""
    at, word = random.randrange(len(content)), random.choice(WORDS)
    numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?", content))
    kept = {
        "byte": content[:at] + bytes([random.randrange(256)]) + content[at + 1 :],
        "lost": content[:at] + content[at + random.choice([1, 2, 8, 50]) :],
        "put in": content[:at] + word + content[at:],
    }
    if numbers:
        found = random.choice(numbers)
        kept["number"] = content[: found.start()] + word + content[found.end() :]
    return kept[random.choice(sorted(kept))]


@pytest.mark.filterwarnings("error")
@settings(max_examples=300, deadline=None)
@given(random=st.randoms(use_true_random=False), ending=st.sampled_from(["json", "ubj", "txt"]))
def test_damage_is_answered_with_a_report(tmp_path_factory: pytest.TempPathFactory, random: Any, ending: str) -> None:
    """No damage raises anything; what is said of it may be nothing, for a changed threshold harms nobody."""
    content = lightgbm_model() if ending == "txt" else saved()[ending]
    for _ in range(random.choice([1, 1, 3])):
        content = damaged(content, random)
    path = tmp_path_factory.getbasetemp() / f"damaged.{ending}"
    path.write_bytes(content or b"x")
    assert scan(path).kind


@cache
def saved() -> dict[str, bytes]:
    """A booster in both of XGBoost's formats."""
    booster = next(xgboosts()).get_booster()
    return {ending: bytes(booster.save_raw(ending)) for ending in ("json", "ubj")}
