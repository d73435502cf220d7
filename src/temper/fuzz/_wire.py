"""A row as the text of a request, and what can be odd about the request itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from temper.core.errors import TemperError
from temper.core.schema import Column, Schema
from temper.fuzz._case import MESSAGE, Case, Edge, Fate, Literal
from temper.fuzz._cases_of_a_service import flat, standing
from temper.fuzz._edges import Field

_FOUND = ("score", "scores", "results.*.score", "probability", "probabilities", "prediction", "predictions")
_DEEP = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How rows are asked for: the body of one row and of several, and where the scores are in the answer.

    `$row` stands for one row, `$rows` for a list of them. `answer` is a path such as "outputs.*.score" ("" looks in the
    usual places). `tensors`: the body is a request of the Open Inference Protocol, one tensor per column.
    """

    one: str = '{"row": $row}'
    many: str = '{"rows": $rows}'
    answer: str = ""
    tensors: bool = False

    def __post_init__(self) -> None:
        if not self.tensors and ("$row" not in self.one or "$rows" not in self.many):
            raise TemperError("the body has no place for rows", fix='write $row or $rows in it: {"instances": $rows}')

    @staticmethod
    def of(body: str, answer: str = "") -> Form:
        """A user's own body: one with `$rows` serves for one row too, one with `$row` alone has no batches."""
        if body == "v2":
            return Form(tensors=True, answer=answer or "outputs.*.data")
        many = body if "$rows" in body else ""
        return Form(one=body, many=many or "$rows", answer=answer) if body else Form(answer=answer)

    @property
    def batches(self) -> bool:
        """Whether several rows go into one request."""
        return self.tensors or self.many != "$rows"

    def body(self, schema: Schema, cases: Sequence[Case]) -> str:
        """The text of a request for the rows of these cases."""
        if self.tensors:
            return _tensors(schema, cases)
        rows = [
            "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in pairs(schema, case)) + "}" for case in cases
        ]
        listed = f"[{', '.join(rows)}]"
        if len(cases) == 1:
            return self.one.replace("$rows", listed).replace("$row", rows[0])
        return self.many.replace("$rows", listed)

    def scores(self, document: Any, n: int) -> list[float] | None:
        """The scores of `n` rows in an answer, None where they are not there."""
        for path in (self.answer,) if self.answer else _FOUND:
            found = flat(standing(document, path.split(".")))
            if found and len(found) % n == 0 and all(_number(value) for value in found):
                width = len(found) // n
                return [float(value) for value in found[width - 1 :: width]]  # of several classes the last
        return None


def pairs(schema: Schema, case: Case) -> Iterator[tuple[str, str]]:
    """Every key of the row with what is written for it, in order; a key may stand twice."""
    changed = {change.field: change.edge for change in case.changes if change.places}
    for at, column in enumerate(schema.columns):
        edge = changed.get(column.name)
        if edge is None:
            yield column.name, usual(column, float(case.base[at]))
        elif edge.literal is not None:
            yield column.name, edge.literal.text
    for change in case.changes:
        if not change.places and change.field != MESSAGE and change.edge.literal is not None:
            yield change.field, change.edge.literal.text


def usual(column: Column, value: float) -> str:
    """A value as a client writes it: words for codes, null for missing."""
    if math.isnan(value):
        return "null"
    if column.type == "category" and 0 <= value < len(column.categories):
        return json.dumps(column.categories[int(value)])
    if column.type == "boolean":
        return "true" if value else "false"
    return str(int(value)) if column.type == "integer" else repr(float(value))


def message_fields(schema: Schema) -> tuple[Field, ...]:
    """What can be odd about keys and messages: unknown and repeated keys, framing, pace, encoding."""
    some = [column for column in schema.columns if column.type != "category"][:1] or list(schema.columns[:1])
    extra = [_extra(name, text) for name, text in (("unknown", "1"), ("threshold", "0.0"), ("__class__", '"x"'),
                                                  ("", "1"))]  # fmt: skip
    if some:
        name = some[0].name
        extra += [_extra(f"new_{name}", "0"), _extra(name.upper(), "0")]
        twice = Edge(label=f"{name} a second time", family="a key twice", fate=Fate.EITHER, literal=Literal.of("0"))
        extra.append(Field(name=name, places=(), edges=(twice,)))
    return (*extra, Field(name=MESSAGE, places=(), edges=tuple(_messages())))


def _extra(name: str, text: str) -> Field:
    edge = Edge(label="an unknown key", family="an unknown key", fate=Fate.EITHER, literal=Literal.of(text), same=True)
    return Field(name=name, places=(), edges=(edge,))


def _messages() -> Iterator[Edge]:
    """Labels are names of what `_framed` does."""
    for label in FRAMES:
        fate, same = (Fate.EITHER, True) if label in HARMLESS else (Fate.REFUSE, False)
        yield Edge(label=label, family=label, fate=fate, same=same)


HARMLESS = (
    "in chunks", "slowly", "with blanks between", "after a byte order mark", "without a content type",
    "as plain text", "twice on one connection", "with keys in another order", "in UTF-16",
)  # fmt: skip
FRAMES = (
    *HARMLESS, "with nothing in it", "cut off", "with something after it", "as an empty object", "as a list",
    "as a byte that is no UTF-8", "as lists 100,000 deep", "with fewer bytes than promised",
    "with more bytes than promised", "with two lengths", "with a length that is no number",
)  # fmt: skip
WITHOUT_WORD = ("with fewer bytes than promised", "with two lengths")
"""After these the service rightly waits for what never comes: it may hang up, and must serve others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What goes over the connection: pieces of bytes with a pause after each; how many answers are due."""

    pieces: tuple[bytes, ...]
    pause: float = 0.0
    answers: int = 1


def framed(frame: str, text: str, host: str, path: str, headers: Sequence[tuple[str, str]]) -> Sending:
    """The request as bytes, odd in the way of `frame` ("" for a request as usual)."""
    body = _body(frame, text)
    kind = {"without a content type": "", "as plain text": "text/plain"}.get(frame, "application/json")
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    lines += [f"Content-Type: {kind}"] if kind else []
    if frame == "in chunks":
        sizes = [body[at : at + 7] for at in range(0, min(len(body), 700), 7)] + [body[700:]] * (len(body) > 700)
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in sizes) + b"0\r\n\r\n"
        lines.append("Transfer-Encoding: chunked")
    else:
        lines += _lengths(frame, len(body))
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if frame == "slowly":
        step = max(1, len(body) // 4)
        return Sending(pieces=(head, *(body[at : at + step] for at in range(0, len(body), step))), pause=0.05)
    if frame == "twice on one connection":
        return Sending(pieces=((head + body) * 2,), answers=2)
    return Sending(pieces=(head, body) if len(body) > 1 << 16 else (head + body,))


def _lengths(frame: str, length: int) -> list[str]:
    promised: dict[str, Any] = {
        "with fewer bytes than promised": length + 10,
        "with more bytes than promised": max(length - 5, 0),
        "with a length that is no number": "ten",
    }
    told = [f"Content-Length: {promised.get(frame, length)}"]
    return told + [f"Content-Length: {length + 3}"] * (frame == "with two lengths")


def _body(frame: str, text: str) -> bytes:
    plain = text.encode("utf-8", "surrogatepass")
    match frame:
        case "with blanks between":
            return b" \r\n\t" + plain.replace(b'": ', b'"  :\n ') + b"\n  "
        case "after a byte order mark":
            return b"\xef\xbb\xbf" + plain
        case "with keys in another order":
            return _turned(text).encode()
        case "with nothing in it":
            return b""
        case "cut off":
            return plain[: len(plain) // 2]
        case "with something after it":
            return plain + b" {}"
        case "as an empty object":
            return b"{}"
        case "as a list":
            return b"[" + plain + b"]"
        case "in UTF-16":
            return text.encode("utf-16", "surrogatepass")
        case "as a byte that is no UTF-8":
            return plain[:-1] + b"\xff" + plain[-1:]
        case "as lists 100,000 deep":
            return b"[" * _DEEP + b"]" * _DEEP
    return plain


def _turned(text: str) -> str:
    def turned(found: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(reversed(found))

    try:
        return json.dumps(json.loads(text, object_pairs_hook=turned))
    except (ValueError, RecursionError):
        return text


def _tensors(schema: Schema, cases: Sequence[Case]) -> str:
    """One tensor per column; one that a row leaves out is left out."""
    rows = [list(pairs(schema, case)) for case in cases]
    found = []
    for name in dict.fromkeys(name for row in rows for name, _ in row):
        values = [text for row in rows for key, text in row if key == name]
        column = schema.columns[schema.index(name)] if name in schema.names else Column(name=name or "x")
        kind = {"category": "BYTES", "boolean": "BOOL"}.get(column.type, "FP64")
        found.append(f'{{"name": {json.dumps(name)}, "shape": [{len(values)}], "datatype": "{kind}", '
                     f'"data": [{", ".join(values)}]}}')  # fmt: skip
    return f'{{"inputs": [{", ".join(found)}]}}'


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
