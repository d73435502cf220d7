"""Boosted trees in their libraries' own formats: whole, of sane sizes, and pointing at nothing outside themselves."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np

from temper.targets._artifact_graph import keras_nodes, parsed
from temper.targets._artifact_seen import Seen
from temper.targets._unwrap import Refused

_SIZES = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8, b"T": 0, b"F": 0, b"Z": 0, b"C": 1}
_LENGTHS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
_DEEP = 100
_FEATURES = re.compile(rb"^max_feature_idx=(\d+)$", re.MULTILINE)
_TREES = re.compile(rb"^tree_sizes=([\d ]*)$", re.MULTILINE)
_FIELD = re.compile(rb"^(num_leaves|split_feature|left_child|right_child|leaf_value)=(.*)$", re.MULTILINE)


def json_document(content: Any, seen: Seen) -> None:
    """A JSON document: whole and not nested so deep that a parser breaks; an XGBoost model is only skipped through.

    Other documents are read as configs, since they may name code.
    """
    import msgspec

    model = msgspec.defstruct("model", [("learner", msgspec.Raw, msgspec.Raw())])
    try:
        boosted = memoryview(msgspec.json.decode(content, type=model).learner).nbytes > 0  # type: ignore[attr-defined]
    except (msgspec.DecodeError, RecursionError) as fault:
        seen.note(f"the document is damaged or nested too deeply ({fault})")
        return
    if not boosted:
        keras_nodes(parsed(bytes(content), seen, ""), seen)


def ubj_document(content: Any, seen: Seen) -> None:
    """A UBJSON document, passed over value by value: every length must fit what is there.

    Source: the Universal Binary JSON specification, draft 12.
    """
    at = 0
    open_: list[Any] = []  # what each open container still waits for: a count, or its closing letter
    size, count = len(content), 0
    while True:
        count += 1
        if not count & 4095:
            seen.purse.steps(4096)
        while open_ and open_[-1] in (0, content[at : at + 1]):
            at += open_.pop() != 0
        if not open_ and at:
            break
        if open_ and open_[-1] == b"}":
            at = _past(content, at)
        elif open_ and isinstance(open_[-1], int):
            open_[-1] -= 1
        letter = bytes(content[at : at + 1])
        at += 1
        if letter in (b"{", b"["):
            at, waits = _opened(content, at, letter)
            open_.append(waits)
        elif letter in (b"S", b"H"):
            at = _past(content, at)
        elif letter != b"N":
            at += _SIZES.get(letter, size)
        if at > size or len(open_) > _DEEP or not letter:
            raise Refused("the UBJSON is cut off, damaged or nested too deeply")
    if at != size:
        seen.note("there are bytes behind the end of the model")


def _opened(content: Any, at: int, letter: bytes) -> tuple[int, Any]:
    """Place behind a container's header, and what it waits for; an array of one kind is passed over at once."""
    kind = b""
    if content[at : at + 1] == b"$":
        kind = bytes(content[at + 1 : at + 2])
        at += 2
    if content[at : at + 1] != b"#":
        if kind:
            raise Refused("the UBJSON has a kind without a count")
        return at, b"]" if letter == b"[" else b"}"
    length, at = _length(content, at + 1)
    if letter == b"{" or (kind and kind not in _SIZES):
        raise Refused("the UBJSON has a container that XGBoost does not write")
    return (at + length * _SIZES[kind], 0) if kind else (at, length)


def _past(content: Any, at: int) -> int:
    length, at = _length(content, at)
    return at + length


def _length(content: Any, at: int) -> tuple[int, int]:
    form = _LENGTHS.get(bytes(content[at : at + 1]))
    if form is None or at + 1 + struct.calcsize(form) > len(content):
        raise Refused("the UBJSON is cut off or damaged (a length is missing)")
    (length,) = struct.unpack_from(form, content, at + 1)
    if length < 0:
        raise Refused("the UBJSON has a negative length")
    return length, at + 1 + struct.calcsize(form)


def lightgbm_text(content: Any, seen: Seen) -> None:
    """A LightGBM model text: its trees are as long as it says and point at features and nodes that exist.

    Source: LightGBM's gbdt_model_text.cpp and tree.cpp, which trust these numbers.
    """
    head = bytes(content[: 1 << 26])
    features, sizes = _FEATURES.search(head), _TREES.search(head)
    if features is None or sizes is None:
        raise Refused("it is no whole LightGBM model (its header lacks max_feature_idx or tree_sizes)")
    at = content.find(b"\nTree=0") + 1 if sizes[1] else 0
    for size in map(int, sizes[1].split()):
        _tree(bytes(content[at : at + size]), int(features[1]))
        at += size
    if content.find(b"end of trees", max(at - 1, 0), max(at, 0) + 64) < 0 and sizes[1]:
        raise Refused("it is no whole LightGBM model (its trees do not end where it says)")


def _tree(block: bytes, last_feature: int) -> None:
    found = dict(_FIELD.findall(block))
    if not block.startswith(b"Tree=") or b"num_leaves" not in found:
        raise Refused("it is no whole LightGBM model (a tree is missing)")
    leaves = int(found[b"num_leaves"])
    for name, low, high in (
        (b"split_feature", 0, last_feature),
        (b"left_child", -leaves, leaves - 2),
        (b"right_child", -leaves, leaves - 2),
    ):
        values = np.array(found.get(name, b"").split(), dtype=np.int64)
        if leaves > 1 and (len(values) != leaves - 1 or values.min() < low or values.max() > high):
            raise Refused(f"it is no whole LightGBM model ({name.decode()} points outside the tree)")
    if found.get(b"leaf_value", b"").count(b" ") + 1 != leaves:
        raise Refused("it is no whole LightGBM model (a tree has other leaves than it says)")


def catboost_model(file: Any, size: int) -> None:
    """A CatBoost model: the block it announces is there. What is inside is read by CatBoost's own verifier."""
    length = int.from_bytes(file.read(8)[4:], "little")
    if length + 8 > size:
        raise Refused(f"it claims {length:,} bytes and has {size - 8:,}")
