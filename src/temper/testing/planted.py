"""A small scoring service, sound, and the same with one planted defect at a time: what a fuzzer has to find."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.target import Target
from temper.core.text import TextSchema
from temper.targets.function import Function

CHANNELS = ("chip", "online", "swipe", "cash")
_WEIGHTS = (0.4, -0.2, 0.9, 0.1)


def schema() -> Schema:
    """Every kind of column: bounded numbers, whole numbers, a category, a truth, one that may be missing."""
    return Schema(
        columns=(
            Column(name="amount", low=0.0, high=5_000.0),
            Column(name="turnover", low=0.0, high=1e25),
            Column(name="shift", low=-1.0, high=1.0),
            Column(name="payments", type="integer", low=0, high=3_000_000_000),
            Column(name="months", type="integer", low=0, high=6_000),
            Column(name="channel", type="category", categories=CHANNELS),
            Column(name="night", type="boolean"),
            Column(name="note", low=0.0, high=10.0, missing=True),
        )
    )


def rows(n: int = 40, seed: int = 0) -> Array:
    """Ordinary rows (n, 8); a fifth of the notes are missing."""
    rng = Draws(seed, "testing.planted").generator()
    note = np.where(rng.random(n) < 0.2, np.nan, rng.uniform(1, 9, n).round(2))
    columns = [rng.uniform(5, 900, n).round(2), rng.uniform(1e3, 1e6, n).round(), rng.uniform(-0.9, 0.9, n).round(3),
               rng.integers(1, 400, n), rng.integers(1, 200, n), rng.integers(0, 4, n), rng.integers(0, 2, n), note]  # fmt: skip
    return np.column_stack(columns)


class Invalid(ValueError):
    """A request outside of the schema."""


class Scorer:
    """The sound service: text in, scores out; rows are checked, encoded and scored one by one."""

    names: tuple[str, ...] = schema().names

    def __init__(self) -> None:
        self.columns = schema().columns

    def __call__(self, x: Array) -> Array:
        """Probabilities (n, 2) of rows as numbers."""
        for row in np.asarray(x):
            self.checked(row)
        p = np.asarray(self.batch(np.asarray(x)), dtype=np.float64)
        return np.column_stack([1.0 - p, p])

    def answer(self, body: bytes) -> list[float]:
        """The scores of a request: `{"row": {...}}` or `{"rows": [{...}, ...]}`."""
        found = self.parsed(body)
        if not isinstance(found, dict) or not set(found) <= {"row", "rows"}:
            raise Invalid("expected row or rows")
        asked = found["rows"] if "rows" in found else [found.get("row")]
        if not isinstance(asked, list) or not asked:
            raise Invalid("expected at least one row")
        return [float(value) for value in self(np.array([self.decoded(row) for row in asked]))[:, 1]]

    def parsed(self, body: bytes) -> Any:
        """JSON, without numbers that are none."""
        try:
            return json.loads(body, parse_constant=_no_constant, parse_int=float)
        except (ValueError, RecursionError) as fault:
            raise Invalid(f"no JSON: {type(fault).__name__}") from None

    def decoded(self, row: Any) -> list[float]:
        """One record as numbers in the schema's order."""
        if not isinstance(row, dict):
            raise Invalid("a row is an object")
        if unknown := set(row) - set(self.names):
            raise Invalid(f"{len(unknown)} unknown keys")
        return [self.cell(column, row) for column in self.columns]

    def cell(self, column: Column, row: dict[str, Any]) -> float:
        """One value as a number."""
        value = row.get(column.name)
        if value is None:
            if not column.missing:
                raise Invalid(f"{column.name} is missing")
            return math.nan
        if column.type == "category":
            return self.code(column, value)
        if isinstance(value, bool) and column.type != "boolean":
            raise Invalid(f"{column.name} is a truth")
        if not isinstance(value, int | float):
            raise Invalid(f"{column.name} is no number")
        return float(value)

    def code(self, column: Column, word: Any) -> float:
        """The number of a word."""
        if word not in column.categories:
            raise Invalid(f"{column.name} is an unknown word")
        return float(column.categories.index(word))

    def checked(self, row: Array) -> None:
        """Refuse what lies outside of the schema."""
        for column, value in zip(self.columns, row.tolist(), strict=True):
            self.check(column, value)

    def check(self, column: Column, value: float) -> None:
        """Refuse one value outside of its column."""
        if math.isnan(value):
            if not column.missing:
                raise Invalid(f"{column.name} is missing")
            return
        low, high = _ends(column)
        if not low <= value <= high or (column.discrete and value != round(value)):
            raise Invalid(f"{column.name} is outside of its range")

    def batch(self, x: Array) -> Sequence[float]:
        """A probability for each row."""
        return [self.one(row) for row in x.tolist()]

    def one(self, row: Sequence[float]) -> float:
        """The probability of one row."""
        amount, turnover, shift, payments, months, channel, night, note = row
        z = 0.004 * (amount - 450) + 0.2 * math.log10(1 + turnover) - 1.5 + 0.8 * shift
        z += 0.0005 * min(payments, 1e6) - 0.001 * months + _WEIGHTS[int(channel)] + 0.5 * night
        z += -0.3 if math.isnan(note) else 0.1 * note
        return 1.0 / (1.0 + math.exp(-max(min(z, 500.0), -500.0)))


def _no_constant(word: str) -> float:
    raise Invalid(f"{word} is no number")


def _ends(column: Column) -> tuple[float, float]:
    if column.type == "category":
        return 0.0, float(len(column.categories) - 1)
    return (0.0, 1.0) if column.type == "boolean" else (column.low, column.high)


# -- defects of the scoring -----------------------------------------------------------------------------------------


class NanScored(Scorer):
    """Comparisons with NaN are false, so it passes the bounds and is filled with nought."""

    def check(self, column: Column, value: float) -> None:  # noqa: D102
        low, high = _ends(column)
        if value < low or value > high or (column.discrete and value % 1 > 0):
            raise Invalid(f"{column.name} is outside of its range")

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        return super().one([*np.nan_to_num(row[:7]).tolist(), row[7]])

    def cell(self, column: Column, row: dict[str, Any]) -> float:  # noqa: D102
        return math.nan if row.get(column.name, 0) is None else super().cell(column, row)


class CodeMinusOne(Scorer):
    """A word that is not found has the code -1, which a list reads from its end."""

    def code(self, column: Column, word: Any) -> float:  # noqa: D102
        return float(column.categories.index(word)) if word in column.categories else -1.0

    def check(self, column: Column, value: float) -> None:  # noqa: D102
        if column.type != "category" or value >= len(column.categories) or value != round(value):
            super().check(column, value)


class OrderMixed(Scorer):
    """Rows are sorted to be scored, and not put back."""

    def batch(self, x: Array) -> Sequence[float]:  # noqa: D102
        return super().batch(x[np.argsort(x[:, 0], kind="stable")])


class CallersMixed(Scorer):
    """One buffer for all callers."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = np.zeros((0, len(self.columns)))

    def batch(self, x: Array) -> Sequence[float]:  # noqa: D102
        self.buffer = x.copy()
        prepared = [self.one(row) for row in x.tolist()]  # what takes a while before the buffer is read
        return [self.one(row) for row in self.buffer.tolist()][: len(prepared)]


class RoundedCache(Scorer):
    """Answers are kept by values that were rounded first."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[float, ...], float] = {}

    def batch(self, x: Array) -> Sequence[float]:  # noqa: D102
        if len(x) > 1:
            return super().batch(x)
        key = tuple(float(f"{value:.1g}") for value in x[0].tolist())
        if len(self.kept) > 500:
            self.kept.clear()
        return [self.kept.setdefault(key, self.one(x[0].tolist()))]


class Overflows(Scorer):
    """Squares in 32 bits: the largest turnovers become infinite, and infinite by infinite is no number."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        square = np.float32(row[1]) ** 2
        with np.errstate(all="ignore"):
            return super().one(row) * float(square / (square + np.float32(1e-9)) if square > 0 else 1.0)


class NeverEnds(Scorer):
    """Counts the digits of a number by multiplying it until it is one, which nought never is."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        amount, digits = row[0], 0
        while amount < 1.0:
            amount, digits = amount * 10.0, digits + 1
        return super().one(row)


class AboveOne(Scorer):
    """A calibration that is not clipped."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        return super().one(row) * 1.0000001


class StateLeft(Scorer):
    """A missing note is filled with the last one that was seen."""

    last = 5.0

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        if not math.isnan(row[7]):
            self.last = row[7]
        return super().one([*row[:7], self.last])


class LogOfZero(Scorer):
    """The logarithm of an amount that may be nought."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        return min(1.0, super().one(row) * (1.0 + 1e-9 * math.log(row[0])))


class DividesByZero(Scorer):
    """An average over months that may be none."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        return super().one([*row[:3], row[3] + 1e-12 / int(row[4]), *row[4:]])


class BoundExcluded(Scorer):
    """The highest value is refused."""

    def check(self, column: Column, value: float) -> None:  # noqa: D102
        if column.name == "shift" and value >= column.high:
            raise Invalid(f"{column.name} is outside of its range")
        super().check(column, value)


class InfinityScored(Scorer):
    """Only the lower bound is checked, and what is infinite is cut off later."""

    def check(self, column: Column, value: float) -> None:  # noqa: D102
        if not (column.name == "amount" and value >= column.low):
            super().check(column, value)

    def parsed(self, body: bytes) -> Any:  # noqa: D102
        try:
            return json.loads(body, parse_int=float)
        except (ValueError, RecursionError) as fault:
            raise Invalid(f"no JSON: {type(fault).__name__}") from None


class BatchCentred(Scorer):
    """Amounts are centred by the mean of the batch they came in."""

    def batch(self, x: Array) -> Sequence[float]:  # noqa: D102
        x = x.copy()
        x[:, 0] = np.clip(x[:, 0] - 0.01 * (x[:, 0].mean() - x[:, 0]), 0, None) if len(x) > 1 else x[:, 0]
        return super().batch(x)


class ChunkLost(Scorer):
    """Rows are scored in blocks of four, and the last block gets the scores of the one before it."""

    def batch(self, x: Array) -> Sequence[float]:  # noqa: D102
        found = list(super().batch(x))
        rest = len(x) % 4
        return [*found[:-rest], *found[:rest]] if rest and len(x) > 4 else found


class LastWordFails(Scorer):
    """The table of weights is one short."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        return super().one(row) + 0.0 * _WEIGHTS[:3][int(row[5])]


class Narrow(Scorer):
    """A count kept in 32 bits turns negative, and its root is no number."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        with np.errstate(all="ignore"):
            root = float(np.sqrt(np.array(int(row[3]), dtype=np.int64).astype(np.int32)))
        return super().one(row) * (1.0 + 0.0 * root)


class RowsKept(Scorer):
    """A default list that every call shares."""

    def batch(self, x: Array, kept: list[Any] = []) -> Sequence[float]:  # noqa: B006, D102
        if len(x) > 1:
            kept.extend(x.tolist()[:1])
        return [self.one(row) for row in kept[: len(x) > 1]] + list(super().batch(x))[len(x) > 1 :]


class MinusZero(Scorer):
    """A table is read by a number as it is printed, and -0.0 is printed with its sign."""

    table: dict[str, float] = {f"{step / 10 + 0.0:.1f}": step / 1e4 for step in range(-10, 11)}  # noqa: RUF012

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        return super().one([*row[:2], row[2] + 0.0 * self.table[f"{row[2]:.1f}"], *row[3:]])


class BatchFilled(Scorer):
    """A missing note is filled with the mean of the batch."""

    def batch(self, x: Array) -> Sequence[float]:  # noqa: D102
        known = x[:, 7][~np.isnan(x[:, 7])]
        filled = x.copy()
        filled[:, 7] = np.where(np.isnan(x[:, 7]), known.mean() if len(known) else 5.0, x[:, 7])
        return super().batch(filled)


class LoopsOverCount(Scorer):
    """One turn of a loop for each payment."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        total = 0.0
        for _ in range(int(row[3])):
            total += 1e-12
        return super().one(row)


class Recurses(Scorer):
    """One call in another for each month."""

    def one(self, row: Sequence[float]) -> float:  # noqa: D102
        return super().one([*row[:4], self.aged(int(row[4])), *row[5:]])

    def aged(self, months: int) -> float:  # noqa: D102
        return 1.0 + self.aged(months - 1) if months > 0 else 0.0


class EveryHundredth(Scorer):
    """Now and then the answer of the request before, while something is refreshed."""

    calls, before = 0, 0.5

    def batch(self, x: Array) -> Sequence[float]:  # noqa: D102
        self.calls += 1
        found = list(super().batch(x))
        told = [self.before, *found[1:]] if self.calls % 100 == 0 else found
        self.before = found[0]
        return told


# -- defects of reading ---------------------------------------------------------------------------------------------


class SurrogateFails(Scorer):
    """What cannot be scored is written to a log, and half a character cannot be written."""

    def decoded(self, row: Any) -> list[float]:  # noqa: D102
        "".join(str(value)[:100] for value in row.values()).encode() if isinstance(row, dict) else b""
        return super().decoded(row)


class DeepFails(Scorer):
    """Nobody thought of text that nests deeper than the parser goes."""

    def parsed(self, body: bytes) -> Any:  # noqa: D102
        try:
            return json.loads(body, parse_constant=_no_constant, parse_int=float)
        except ValueError as fault:
            raise Invalid(f"no JSON: {type(fault).__name__}") from None


class ExtraKeyWins(Scorer):
    """Keys are taken by their end, so that one nobody declared is taken too."""

    def decoded(self, row: Any) -> list[float]:  # noqa: D102
        if isinstance(row, dict):
            row = {next((n for n in self.names if key.endswith(n)), key): value for key, value in row.items()}
        return super().decoded({key: value for key, value in row.items() if key in self.names} if
                               isinstance(row, dict) else row)  # fmt: skip


class TextScored(Scorer):
    """Whatever can be made a number is one."""

    def cell(self, column: Column, row: dict[str, Any]) -> float:  # noqa: D102
        value = row.get(column.name)
        if column.type == "number" and isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                raise Invalid("no number") from None
        return super().cell(column, row)


class NullFails(Scorer):
    """A value that is there and null."""

    def cell(self, column: Column, row: dict[str, Any]) -> float:  # noqa: D102
        if column.name == "amount" and column.name in row and row[column.name] is None:
            return float(row[column.name])
        return super().cell(column, row)


class MissingKeyFails(Scorer):
    """A key that is not there."""

    def cell(self, column: Column, row: dict[str, Any]) -> float:  # noqa: D102
        _ = row[column.name]
        return super().cell(column, row)


class ListFails(Scorer):
    """A list cannot be looked up."""

    def code(self, column: Column, word: Any) -> float:  # noqa: D102
        known = {name: float(at) for at, name in enumerate(column.categories)}
        if word not in known:
            raise Invalid("unknown word")
        return known[word]


class EmptyFails(Scorer):
    """A request without a body."""

    def parsed(self, body: bytes) -> Any:  # noqa: D102
        return super().parsed(body) if body[0] else None


class QuadraticText(Scorer):
    """A text is cleaned letter by letter, each time from its start."""

    def code(self, column: Column, word: Any) -> float:  # noqa: D102
        if isinstance(word, str):
            at = 0
            while at < len(word):
                word, at = word.replace(word[at:], word[at:].lstrip("\u200b"), 1), at + 1
        return super().code(column, word)


class DigitsFail(Scorer):
    """Whole numbers are parsed exactly, and Python refuses the longest."""

    def parsed(self, body: bytes) -> Any:  # noqa: D102
        try:
            return json.loads(body, parse_constant=_no_constant)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise Invalid(f"no JSON: {type(fault).__name__}") from None


class MarkFails(Scorer):
    """A byte order mark before the text."""

    def parsed(self, body: bytes) -> Any:  # noqa: D102
        return super().parsed(body if body[:1].isascii() else body.decode("ascii").encode())


# -- a model of texts -----------------------------------------------------------------------------------------------

TEXTS = ("win a prize now", "see you at noon", "call me back please", "free entry, text yes", "lunch tomorrow then")
_WORDS = re.compile(r"^(\w+\s?)*$")


def spam(texts: Sequence[str]) -> Array:
    """The sound model of texts: shares of four words."""
    p = np.array([0.1 + 0.2 * sum(word in text for word in ("win", "free", "prize", "yes")) for text in texts])
    return np.column_stack([1.0 - p, p])


def spam_pattern(texts: Sequence[str]) -> Array:
    """A pattern that tries every way to cut a long word."""
    for text in texts:
        _WORDS.match(text)
    return spam(texts)


def spam_encoded(texts: Sequence[str]) -> Array:
    """Half a character cannot be encoded."""
    for text in texts:
        text.encode()
    return spam(texts)


SCORING = (
    NanScored, CodeMinusOne, OrderMixed, CallersMixed, RoundedCache, Overflows, NeverEnds, AboveOne, StateLeft,
    LogOfZero, DividesByZero, BoundExcluded, InfinityScored, BatchCentred, ChunkLost, LastWordFails, Narrow, RowsKept,
    MinusZero, BatchFilled, LoopsOverCount, Recurses, EveryHundredth,
)  # fmt: skip
READING = (
    SurrogateFails, DeepFails, ExtraKeyWins, TextScored, NullFails, MissingKeyFails, ListFails, EmptyFails,
    QuadraticText, DigitsFail, MarkFails,
)  # fmt: skip
SERVED = (*SCORING[:6], *SCORING[8:12], *SCORING[13:15], *SCORING[15:16], SCORING[22], *READING)
"""Behind HTTP: 14 defects of scoring and 11 of reading."""


def inside() -> list[tuple[str, Target, Schema, Any]]:
    """25 defects in this process: name, target, schema and rows."""
    found: list[tuple[str, Target, Schema, Any]] = [
        (kind.__name__, Function(call=kind()), schema(), rows()) for kind in SCORING
    ]
    texts = np.array(TEXTS * 3, dtype=object)
    return found + [(call.__name__, Function(call=call), TextSchema(), texts) for call in (spam_pattern, spam_encoded)]


class Served:
    """A scorer behind HTTP on this machine: POST anywhere, `{"score": p}` for one row and `{"scores": [...]}` for more.

    What the scorer refuses gets 422, what it does not catch 500. Use it in a `with`; `url` is where it listens.
    """

    def __init__(self, scorer: Scorer) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = _body(self)
                status, told = (400, {"error": "length"}) if body is None else _handled(scorer, body)
                self.close_connection = self.close_connection or body is None
                content = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/score"

    def __enter__(self) -> Served:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _body(handler: Any) -> bytes | None:
    """The body by its length or in chunks; None where its length is in doubt."""
    if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
        lengths = handler.headers.get_all("Content-Length", [])
        return bytes(handler.rfile.read(int(lengths[0]))) if len(lengths) == 1 and lengths[0].isdigit() else None
    pieces = []
    while size := int(handler.rfile.readline().strip() or b"0", 16):
        pieces.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(pieces)


def _handled(scorer: Scorer, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        found = scorer.answer(body)
    except Invalid as wrong:
        return 422, {"error": str(wrong)}
    except Exception as crash:
        return 500, {"error": type(crash).__name__}
    return 200, {"score": found[0]} if len(found) == 1 else {"scores": found}
