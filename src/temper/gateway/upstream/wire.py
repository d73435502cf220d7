"""What is said to an upstream and how its answer is read: plain JSON, or the Open Inference Protocol, version 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

import msgspec
import numpy as np

from temper.gateway.upstream.connection import UpstreamError
from temper.gateway.upstream.pool import Pool

Array = np.ndarray[Any, Any]
_ENCODE = msgspec.json.Encoder()


class Wire(Protocol):
    """One form of question and answer."""

    def ask(self, rows: Array, number: str) -> bytes:
        """The body of a request for the scores of these rows; `number` is of this request only."""

    def read(self, body: bytes, rows: int, number: str) -> Array:
        """The scores (n,) in an answer, the last column where there are several; ValueError says what is wrong."""


class _Scores(msgspec.Struct):
    scores: list[float | list[float]]


_SCORES = msgspec.json.Decoder(_Scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """{"rows": [[...]]}, missing values null, answered by {"scores": [...]}, a number or a list of them for each row.

    >>> Plain().read(b'{"scores": [[0.75, 0.25]]}', 1, "")
    array([0.25])
    """

    def ask(self, rows: Array, number: str) -> bytes:
        """See Wire."""
        return _ENCODE.encode({"rows": rows.tolist()})

    def read(self, body: bytes, rows: int, number: str) -> Array:
        """See Wire."""
        scores = _decoded(_SCORES, body).scores
        if len({len(one) if isinstance(one, list) else -1 for one in scores}) > 1:
            raise ValueError("the answer has scores of several shapes")
        return _last(np.array(scores, np.float64), rows)


class _Output(msgspec.Struct):
    name: str
    shape: list[int]
    data: list[Any]  # other outputs may hold text
    parameters: dict[str, Any] | None = None


class _Answer(msgspec.Struct):
    outputs: list[_Output]
    id: str = ""


_ANSWER = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class V2:
    """One tensor `input` (n, columns) out, the tensor `output` (n,) or (n, classes) back; without a name the only one.

    A server that repeats the request's id must repeat the right one: another is somebody else's answer. The protocol
    has no missing values; they are sent as null, which servers may refuse.
    Source: Open Inference Protocol, version 2, JSON over HTTP.
    """

    input: str = "input"
    output: str = ""
    datatype: str = "FP32"

    def ask(self, rows: Array, number: str) -> bytes:
        """See Wire."""
        tensor = {"name": self.input, "shape": rows.shape, "datatype": self.datatype, "data": rows.ravel().tolist()}
        return _ENCODE.encode({"id": number, "inputs": [tensor]})

    def read(self, body: bytes, rows: int, number: str) -> Array:
        """See Wire."""
        answer = _decoded(_ANSWER, body)
        if answer.id not in ("", number):
            raise ValueError("the answer is to another request")
        found = [one for one in answer.outputs if self.output in ("", one.name)]
        if len(found) != 1:
            raise ValueError(f"the answer has {len(found)} outputs that may be meant")
        if not all(isinstance(value, int | float) for value in found[0].data):
            raise ValueError("the answer's scores are no numbers")
        scores = np.array(found[0].data, np.float64)
        if any(size < 0 for size in found[0].shape) or scores.size != np.prod(found[0].shape, dtype=np.float64):
            raise ValueError("the answer's data do not fit its shape")
        return _last(scores.reshape(found[0].shape), rows)


@dataclass(slots=True, kw_only=True, eq=False)
class Upstream:
    """A model behind a pool of connections: what a guard calls `predict`."""

    pool: Pool
    wire: Wire = Plain()
    _numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__, init=False, repr=False)

    async def scores(self, rows: Array, deadline: float) -> Array:
        """Scores (n,) of rows (n, columns) by `deadline`, in seconds of the loop's clock; else `UpstreamError`, which
        has the status where it was not 200, and never what the other side wrote.
        """
        number = f"temper-{self._numbers()}"
        status, body = await self.pool.post(self.wire.ask(rows, number), deadline)
        if status != 200:
            raise UpstreamError(f"status {status}", status)
        try:
            return self.wire.read(body, len(rows), number)
        except ValueError as wrong:
            raise UpstreamError(str(wrong), status) from None


def _decoded(decoder: Any, body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as wrong:
        raise ValueError(f"the answer cannot be read: {type(wrong).__name__}") from None


def _last(scores: Array, rows: int) -> Array:
    """The scores of the last class, one for each row."""
    if scores.ndim not in (1, 2) or len(scores) != rows or 0 in scores.shape[1:]:
        raise ValueError(f"the answer has scores of shape {scores.shape} for {rows} rows")
    if not np.isfinite(scores).all():
        raise ValueError("the answer has scores that are not finite")
    return scores if scores.ndim == 1 else scores[:, -1]
