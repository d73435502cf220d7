"""What is said to an upstream and how its answer is read: plain JSON, or the Open Inference Protocol, version 2."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Protocol

import msgspec
import numpy as np

from temper.core.schema import Column, Schema
from temper.gateway.upstream.connection import UpstreamError
from temper.gateway.upstream.pool import Pool

Array = np.ndarray[Any, Any]
_ENCODE = msgspec.json.Encoder()
_PIECE, _PATIENCE = 256, 30.0


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
    With a Schema rows are records by column, categories by name: what `targets.http` sends.

    >>> Plain().read(b'{"scores": [[0.75, 0.25]]}', 1, "")
    array([0.25])
    """

    schema: Schema | None = None

    def ask(self, rows: Array, number: str) -> bytes:
        """See Wire."""
        if self.schema is None or not self.schema.columns:
            return _ENCODE.encode({"rows": rows.tolist()})
        columns = [[_value(column, value) for value in rows[:, at].tolist()] for at, column in _numbered(self.schema)]
        names = self.schema.names
        return _ENCODE.encode({"rows": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]})

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
    """A model behind a pool of connections, as a pipeline asks it. Trouble is `UpstreamError`, with the status where it
    was not 200, and never with what the other side wrote.
    """

    pool: Pool
    wire: Wire = Plain()
    inline: bool = field(default=False, init=False)
    answered: bool = field(default=False, init=False)
    """Whether it ever did."""
    _own: str = field(default_factory=lambda: secrets.token_hex(6), init=False, repr=False)
    """No id is that of another gateway, or of one that ran here before: who answers an id once remembers it."""
    _numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__, init=False, repr=False)

    async def ask(self, rows: Array, seconds: float, trace: str = "") -> Array:
        """Scores (n,) of rows (n, columns) within so many seconds; `trace` is the `traceparent` of whoever asks."""
        number = f"{self._own}-{self._numbers():x}"
        deadline = asyncio.get_running_loop().time() + seconds
        status, body = await self.pool.post(self.wire.ask(rows, number), deadline, trace)
        if status != 200:
            raise UpstreamError(f"status {status}", status)
        try:
            scores = self.wire.read(body, len(rows), number)
        except ValueError as wrong:
            raise UpstreamError(str(wrong), status) from None
        self.answered = True
        return scores

    def score(self, rows: Array) -> Array:
        """The same for whoever has no event loop and has time: in pieces, over connections of its own."""

        async def whole() -> Array:
            own = replace(self, pool=replace(self.pool, most=1))
            parts = [await own.ask(rows[at : at + _PIECE], _PATIENCE) for at in range(0, len(rows), _PIECE)]
            await own.pool.close()
            return np.concatenate(parts) if parts else np.empty(0)

        return asyncio.run(whole())


def _numbered(schema: Schema) -> Iterable[tuple[int, Column]]:
    return enumerate(schema.columns)


def _value(column: Column, value: float) -> Any:
    """A value as a record holds it."""
    if value != value:
        return None
    if column.type == "category":
        if not 0 <= value < len(column.categories):
            raise ValueError(f"column {column.name!r}: {value:g} is the code of no category")
        return column.categories[int(value)]
    return bool(value) if column.type == "boolean" else int(value) if column.type == "integer" else value


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
