"""Boosted trees in their libraries' own formats: whole, of sane sizes, and pointing at nothing outside themselves."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from temper.kernels import ubj
from temper.targets._artifact_graph import keras_nodes, parsed
from temper.targets._artifact_seen import Seen
from temper.targets._artifact_trees import Ints, numbers, within, xgboost_trees
from temper.targets._unwrap import Refused

_ARRAYS = ("left_children", "right_children", "split_indices", "split_conditions")
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
    left, right, columns, thresholds = ([bytes(getattr(tree, name))[1:-1] for tree in trees] for name in _ARRAYS)
    (lefts, nodes), (rights, _), (splits, _) = (numbers(pieces, b",") for pieces in (left, right, columns))
    info, _ = numbers([bytes(part.tree_info)[1:-1] for part in parts], b",")
    _whole(nodes, *_counts(right, columns, thresholds))
    _xgboost(lefts, rights, splits, nodes, info, [getattr(model.learner_model_param, name) for name in _SIZES])


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
    tree = form("Tree", *((name, raw) for name in _ARRAYS))
    trees = form("Trees", ("trees", list[tree], []), (_INFO, raw, raw(b"[]")))  # type: ignore[valid-type]
    inner = form("Inner", ("model", trees, absent(trees)))
    booster = form("Booster", ("model", trees, absent(trees)), ("gbtree", inner, absent(inner)))
    learner = form("Learner", ("gradient_booster", booster), ("learner_model_param", param, absent(param)))
    return form("Model", ("learner", learner), ("version", raw, raw(b"[]")), strict=True)


def _counts(*lists: list[bytes]) -> list[Ints]:
    return [np.array([piece.count(b",") + bool(piece) for piece in pieces], np.int64) for pieces in lists]


def ubj_document(content: Any, seen: Seen) -> None:
    """XGBoost's UBJSON: every length fits what is there, nothing follows, and its trees hold together."""
    try:
        rows, end = ubj.walked(content, [name.encode() for name in (*_ARRAYS, _INFO, *_SIZES)])
    except ValueError as fault:
        raise Refused(f"the UBJSON is cut off, damaged or nested too deeply ({fault})") from None
    if end != len(content):
        seen.note("there are bytes behind the end of the model")
    left, right, columns, thresholds, info, *sizes = (rows[rows[:, 0] == key] for key in range(8))
    _whole(left[:, 2], right[:, 2], columns[:, 2], thresholds[:, 2])
    lefts, rights, splits, outputs = (_items(content, part.tolist()) for part in (left, right, columns, info))
    told = [str(bytes(content[row[3] : row[4]]), "latin-1") for part in sizes for row in part[-1:]]
    _xgboost(lefts, rights, splits, left[:, 2], outputs, told)


def _items(content: Any, rows: list[list[int]]) -> Ints:
    """The whole numbers of arrays, one behind the other: each of one kind, or every number with its own."""
    kinds = {kind for _, kind, *_ in rows}
    if len(kinds) == 1 and kinds <= _WHOLE.keys():
        plain = b"".join([content[start:end] for *_, start, end in rows])
        return np.frombuffer(plain, _WHOLE[kinds.pop()]).astype(np.int64)
    found = [np.zeros(0, np.int64)]
    for _, kind, count, start, end in rows:
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


def _whole(nodes: Ints, *others: Ints) -> None:
    if any(len(other) != len(nodes) or np.any(other != nodes) for other in others):
        raise Refused("the arrays of its trees do not fit together")


def _xgboost(left: Ints, right: Ints, columns: Ints, nodes: Ints, info: Ints, sizes: list[str]) -> None:
    """The trees, and the output each adds to: XGBoost writes wherever that number points."""
    if len(nodes):
        features, *outputs = map(int, sizes)
        xgboost_trees(left, right, columns, nodes, features)
        within(info, max(1, *outputs), "the output of a tree")
    if len(info) != len(nodes):
        raise Refused("the arrays of its trees do not fit together")


def catboost_model(file: Any, size: int) -> None:
    """A CatBoost model: the block it announces is there. What is inside is read by CatBoost's own verifier."""
    length = int.from_bytes(file.read(8)[4:], "little")
    if length + 8 > size:
        raise Refused(f"it claims {length:,} bytes and has {size - 8:,}")
