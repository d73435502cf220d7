"""Boosted trees in their libraries' own formats: whole, of sane sizes, and pointing at nothing outside themselves."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from temper.kernels import ubj
from temper.targets._artifact_graph import keras_nodes, parsed
from temper.targets._artifact_seen import Seen
from temper.targets._artifact_trees import Ints, Lists, category_sets, numbers, within, xgboost_trees
from temper.targets._unwrap import Refused

_ARRAYS = ("left_children", "right_children", "split_indices", "parents")
_THRESHOLDS = "split_conditions"
_SETS = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
_SIZES = ("num_feature", "num_class", "num_target")
_INFO = "tree_info"
_WHOLE = {
    ord(letter): np.dtype(f">{kind}") for letter, kind in zip("iUIlL", ("i1", "u1", "i2", "i4", "i8"), strict=True)
}


def json_document(content: Any, seen: Seen) -> None:
    """A JSON document: whole and not nested so deep that a parser breaks; the trees of an XGBoost model hold together.

    Other documents are read as configs, since they may name code.
    """
    import msgspec

    try:
        model = msgspec.json.decode(content, type=_form()).learner
    except msgspec.ValidationError as other:
        document = parsed(bytes(content), seen, "")
        if isinstance(document, dict) and "learner" in document:
            seen.note(f"it is an XGBoost model of a form that XGBoost does not write ({other})")
        keras_nodes(document, seen)
        return
    except (msgspec.DecodeError, RecursionError) as fault:
        seen.note(f"the document is damaged or nested too deeply ({fault})")
        return
    parts = model.gradient_booster.model, model.gradient_booster.gbtree.model
    trees = [tree for part in parts for tree in part.trees]
    lists = {name: numbers([bytes(getattr(tree, name))[1:-1] for tree in trees], b",") for name in _ARRAYS}
    lists |= {name: _counted([getattr(tree, name) for tree in trees]) for name in _SETS}
    thresholds = [bytes(getattr(tree, _THRESHOLDS)) for tree in trees]
    info, _ = numbers([bytes(part.tree_info)[1:-1] for part in parts], b",")
    counted = np.array([piece.count(b",") + (len(piece) > 2) for piece in thresholds], np.int64)
    _xgboost(lists, counted, info, [getattr(model.learner_model_param, name) for name in _SIZES])


@lru_cache(maxsize=1)
def _form() -> Any:
    """The parts of an XGBoost model that say where its trees go; everything else is passed over."""
    import msgspec

    def form(name: str, *fields: Any, strict: bool = False) -> Any:
        return msgspec.defstruct(name, fields, forbid_unknown_fields=strict)

    def absent(kind: Any) -> Any:
        return msgspec.field(default_factory=kind)

    raw = msgspec.Raw
    param = form("Param", *((name, str, "0") for name in _SIZES))
    sets: Any = ((name, list[int], []) for name in _SETS)  # most trees have none
    tree = form("Tree", *((name, raw) for name in (*_ARRAYS, _THRESHOLDS)), *sets)
    trees = form("Trees", ("trees", list[tree], []), (_INFO, raw, raw(b"[]")))  # type: ignore[valid-type]
    inner = form("Inner", ("model", trees, absent(trees)))
    booster = form("Booster", ("model", trees, absent(trees)), ("gbtree", inner, absent(inner)))
    learner = form("Learner", ("gradient_booster", booster), ("learner_model_param", param, absent(param)))
    return form("Model", ("learner", learner), ("version", raw, raw(b"[]")), strict=True)


def _counted(lists: list[list[int]]) -> tuple[Ints, Ints]:
    return np.array([*chain.from_iterable(lists)], np.int64), np.array([*map(len, lists)], np.int64)


def ubj_document(content: Any, seen: Seen) -> None:
    """XGBoost's UBJSON: every length fits what is there, nothing follows, and its trees hold together."""
    names = (*_ARRAYS, *_SETS)
    try:
        rows, end = ubj.walked(content, [name.encode() for name in (*names, _THRESHOLDS, _INFO, *_SIZES)])
    except ValueError as fault:
        raise Refused(f"the UBJSON is cut off, damaged or nested too deeply ({fault})") from None
    if end != len(content):
        seen.note("there are bytes behind the end of the model")
    *parts, thresholds, info = (rows[rows[:, 0] == key] for key in range(len(names) + 2))
    lists = {name: (_items(content, part), part[:, 2].copy()) for name, part in zip(names, parts, strict=True)}
    sizes = [rows[rows[:, 0] == key] for key in range(len(names) + 2, len(names) + 2 + len(_SIZES))]
    told = [str(bytes(content[row[3] : row[4]]), "latin-1") for part in sizes for row in part[-1:]]
    _xgboost(lists, thresholds[:, 2], _items(content, info), told)


def _items(content: Any, rows: Ints) -> Ints:
    """The whole numbers of arrays, one behind the other: each of one kind, or every number with its own."""
    rows = rows[rows[:, 2] != 0]
    if len(rows) and rows[0, 1] in _WHOLE and np.all(rows[:, 1] == rows[0, 1]):
        plain = b"".join([content[start:end] for start, end in rows[:, 3:].tolist()])
        return np.frombuffer(plain, _WHOLE[int(rows[0, 1])]).astype(np.int64)
    found = [np.zeros(0, np.int64)]
    for _, kind, count, start, end in rows.tolist():
        if kind in _WHOLE:
            found.append(np.frombuffer(content, _WHOLE[kind], count, start).astype(np.int64))
        elif kind == ubj.MIXED:
            found.append(_mixed(content, count, start, end))
        else:
            raise Refused("a list of its trees holds something else than whole numbers")
    return np.concatenate(found)


def _mixed(content: Any, count: int, at: int, end: int) -> Ints:
    found, plain = [], content[at:end]
    at = 0
    while at < len(plain) and (kind := _WHOLE.get(plain[at])):
        behind = at + 1 + kind.itemsize
        found.append(int.from_bytes(plain[at + 1 : behind], "big", signed=kind.kind == "i"))
        at = behind
    if len(found) < count or at + (count < 0) != len(plain):
        raise Refused("a list of its trees holds something else than whole numbers")
    return np.array(found, np.int64)


def _xgboost(lists: Lists, thresholds: Ints, info: Ints, sizes: list[str]) -> None:
    """The trees, and the output each adds to: XGBoost writes wherever that number points."""
    (left, nodes), (right, others), (columns, third), (parents, fourth) = (lists[name] for name in _ARRAYS)
    counts = others, third, fourth, thresholds
    if len(info) != len(nodes) or not all(np.array_equal(nodes, count) for count in counts):
        raise Refused("the arrays of its trees do not fit together")
    if len(nodes):
        features, *outputs = map(int, sizes)
        xgboost_trees(left, right, columns, parents, nodes, features)
        category_sets(*(lists[name] for name in _SETS), trees=len(nodes))
        within(info, max(1, *outputs), "the output of a tree")


def catboost_model(file: Any, size: int) -> None:
    """A CatBoost model: the block it announces is there. What is inside is read by CatBoost's own verifier."""
    length = int.from_bytes(file.read(8)[4:], "little")
    if length + 8 > size:
        raise Refused(f"it claims {length:,} bytes and has {size - 8:,}")
