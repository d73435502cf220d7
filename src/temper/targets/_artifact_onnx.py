"""ONNX read as plain protobuf fields: files it would pull in, and operators that are somebody's own code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

from temper.targets._artifact_seen import Seen
from temper.targets._unwrap import Refused

# Field number -> the message in it; everything else is passed over. Source: onnx.proto.
_FIELDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
_OURS = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft"}
_BLOBS = ("EPContext",)  # what an accelerator made of a graph, inside or in a file: nobody can read it
_DEEP = 200
# Runs of plain numbers (a forest's thresholds and node ids) are passed over at the speed of the regular expression.
_RUN = re.compile(rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f]){1,10000}+", re.DOTALL)

_TEXTS = {"node": (4, 7), "function": (1, 10), "external": (1, 2)}
Node = tuple[str, str]


def onnx_model(content: Any, path: Path, seen: Seen) -> None:
    """A model that lies at `path`: external data outside its folder is a finding, an unknown operator a review.

    Source: onnx.proto and "ONNX external data"; CVE-2024-27318, CVE-2024-5187.
    """
    nodes: dict[Node, None] = {}
    own: set[Node] = set()
    waiting = [("model", 0, len(content), 0)]
    whole = False
    while waiting:
        kind, start, end, depth = waiting.pop()
        if depth > _DEEP:
            raise Refused(f"its graphs are nested more than {_DEEP} times")
        texts: dict[int, str] = {}
        for number, first, last in fields(content, start, end, seen):
            inner = _FIELDS.get(kind, {}).get(number)
            if inner is not None:
                waiting.append((inner, first, last, depth + 1))
                whole |= inner in ("graph", "function")
            elif number in _TEXTS.get(kind, ()):
                texts[number] = bytes(content[first:last]).decode("utf-8", "replace")
        if kind == "node":
            nodes[texts.get(7, ""), texts.get(4, "")] = None
        elif kind == "function":
            own.add((texts.get(10, ""), texts.get(1, "")))
        elif kind == "external" and texts.get(1) == "location":
            _location(texts.get(2, ""), path, seen)
    if not whole:
        seen.note("it is no ONNX model: it has no graph")
    for domain, operator in nodes:
        if (domain not in _OURS and (domain, operator) not in own) or operator in _BLOBS:
            seen.name(domain, operator)


def fields(content: Any, at: int, end: int, seen: Seen) -> Iterator[tuple[int, int, int]]:
    """Number and place of each length-delimited field between two places; other fields are passed over."""
    count = 0
    while at < end:
        count += 1
        if not count & 4095:
            seen.purse.steps(4096)
        run = _RUN.match(content, at, end)
        if run is not None:
            at = run.end()
            continue
        tag, at = _varint(content, at, end)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, at = _varint(content, at, end)
        elif wire == 2:
            length, at = _varint(content, at, end)
            yield number, at, at + length
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise Refused("it is no whole ONNX model (an unknown kind of field)")
    if at != end:
        raise Refused("it is no whole ONNX model (a field ends behind its end)")


def _varint(content: Any, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return value, at
    raise Refused("it is no whole ONNX model (a number has no end)")


def _location(place: str, path: Path, seen: Seen) -> None:
    """External data must lie in the model's own folder, also after symbolic links are followed."""
    parts = PureWindowsPath(place)
    if parts.drive or parts.root or ".." in parts.parts:
        seen.note(f"its weights are to be read from outside its folder ({place})")
        return
    folder, file = path.parent.resolve(), path.parent / place
    if not file.exists():
        seen.note(f"its weights are in {place}, which does not exist beside it")
    elif not file.resolve().is_relative_to(folder):
        seen.note(f"its weights are to be read from outside its folder ({place} is a link)")
