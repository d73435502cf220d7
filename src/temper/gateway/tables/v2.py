"""The Open Inference Protocol, version 2: tensors in, tensors out, held against the same Schema."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from temper.core.schema import Schema
from temper.core.serving import Answer
from temper.core.stage import Level
from temper.gateway.tables.decode import Asked, Wrong, once, said, struct_of

_NUMBERS = ("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64")


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class _Infer(msgspec.Struct):
    inputs: list[_Tensor]
    id: str = ""
    parameters: dict[str, Any] | None = None
    outputs: list[dict[str, Any]] | None = None


class V2:
    """Reads an inference request: one tensor (n, columns) in the Schema's order with categories as their codes, or one
    tensor per column, (n,) or (n, 1), by name, with categories as words. `parameters` may name a `subject`.

    >>> from temper.core.schema import Column
    >>> asked = b'{"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [2.5]}]}'
    >>> V2(Schema(columns=(Column(name="amount", low=0.0),))).decode(asked).rows
    array([[2.5]])
    """

    def __init__(self, schema: Schema, most: int = 1_000) -> None:
        self.schema, self.most = schema, most
        self._row = struct_of(schema)
        self._json = msgspec.json.Decoder(_Infer)
        self._codes = {c.name: {word: float(at) for at, word in enumerate(c.categories)} for c in schema.columns}

    def decode(self, body: bytes) -> Asked:
        """The rows; `Wrong` says what is the matter."""
        try:
            found = self._json.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as wrong:
            raise Wrong(f"this is no inference request: {said(wrong)}") from None
        if len(found.id) > 128:
            raise Wrong("the id has over 128 characters")
        many = max((one.shape[0] for one in found.inputs if one.shape), default=0)
        if many > self.most:
            raise Wrong(f"the request has {many} rows, expected 1 to {self.most:,}")
        if body.count(b":") != 1 + 4 * len(found.inputs) + (found.id != ""):
            once(body)
        rows = self._rows(found.inputs)
        if not rows:
            raise Wrong("the request has no rows")
        try:
            checked = msgspec.convert(rows, list[self._row])  # type: ignore[name-defined]
        except msgspec.ValidationError as wrong:
            raise Wrong(f"the request cannot be scored: {said(wrong)}") from None
        matrix = self._matrix([msgspec.structs.astuple(row) for row in checked])
        return Asked(rows=matrix, id=found.id, subject=_subject(found.parameters))

    def _rows(self, tensors: Sequence[_Tensor]) -> list[dict[str, Any]]:
        names = [column.name for column in self.schema.columns]
        for tensor in tensors:
            if len(tensor.data) != math.prod(tensor.shape) or any(size < 0 for size in tensor.shape):
                raise Wrong(
                    f"the tensor {tensor.name[:60]!r} holds {len(tensor.data)} values, its shape says otherwise"
                )
        if len(tensors) == 1 and len(tensors[0].shape) == 2 and tensors[0].shape[1] == len(names):
            return self._coded(tensors[0], names)
        columns = {tensor.name: tensor for tensor in tensors}
        sizes = {tensor.shape[0] if tensor.shape else 0 for tensor in tensors}
        flat = all(tensor.shape[1:] in ([], [1]) for tensor in tensors)
        if len(columns) != len(tensors) or len(sizes) != 1 or not flat:
            raise Wrong(f"expected one tensor (n, {len(names)}), or one tensor (n,) for each column")
        return [{name: tensor.data[at] for name, tensor in columns.items()} for at in range(sizes.pop())]

    def _coded(self, tensor: _Tensor, names: Sequence[str]) -> list[dict[str, Any]]:
        """A matrix: codes become words again, so that both forms are checked alike."""
        if tensor.datatype not in _NUMBERS:
            raise Wrong(f"the tensor has the type {tensor.datatype[:20]!r}, expected one of {', '.join(_NUMBERS)}")
        width = len(names)
        rows = [dict(zip(names, tensor.data[at : at + width], strict=True)) for at in range(0, len(tensor.data), width)]
        for column in self.schema.columns:
            if column.type == "category":
                for row in rows:
                    row[column.name] = _word(column.categories, row[column.name])
        return rows

    def _matrix(self, rows: Sequence[tuple[Any, ...]]) -> np.ndarray[Any, Any]:
        columns = self.schema.columns
        return np.array(
            [
                [self._codes[c.name][v] if c.type == "category" and v is not None else v for c, v in
                 zip(columns, row, strict=True)]
                for row in rows
            ],
            dtype=np.float64,
        )  # fmt: skip


def _subject(parameters: Mapping[str, Any] | None) -> str:
    found = (parameters or {}).get("subject", "")
    if not isinstance(found, str) or len(found) > 128:
        raise Wrong("parameters.subject is no text of at most 128 characters")
    return found


def _word(categories: Sequence[str], code: Any) -> Any:
    whole = isinstance(code, int | float) and code == int(code) and 0 <= code < len(categories)
    return categories[int(code)] if whole else code


def described(name: str, digest: str, schema: Schema) -> Mapping[str, Any]:
    """The model's metadata."""
    shape = [-1, len(schema.columns)]
    return {
        "name": name,
        "versions": [digest[:12]],
        "platform": "temper",
        "inputs": [{"name": "input", "datatype": "FP64", "shape": shape}],
        "outputs": [
            {"name": "score", "datatype": "FP64", "shape": [-1]},
            {"name": "decision", "datatype": "BYTES", "shape": [-1]},
            {"name": "source", "datatype": "BYTES", "shape": [-1]},
        ],
    }


def answered(name: str, digest: str, answer: Answer, id_: str, *, scores: bool = True) -> Mapping[str, Any]:
    """The reply: a score per row (left out where only decisions are told), its decision, and where they came from."""
    n = len(answer.levels)
    outputs: list[dict[str, Any]] = [
        {"name": "decision", "datatype": "BYTES", "shape": [n], "data": [one.name.lower() for one in answer.levels]},
        {"name": "source", "datatype": "BYTES", "shape": [n], "data": [answer.source.value] * n},
    ]
    if scores and len(answer.scores) and Level.REVISE not in answer.levels:
        outputs.insert(0, {"name": "score", "datatype": "FP64", "shape": [n], "data": answer.scores.tolist()})
    parameters = {"degraded": answer.degraded}
    return {"model_name": name, "model_version": digest[:12], "id": id_, "outputs": outputs, "parameters": parameters}
