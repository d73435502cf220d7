"""Rows that somebody pastes or brings as CSV, tried on a bench: refused in one sentence, or each seen by itself."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from temper.core.errors import TemperError
from temper.core.probe import EMPTY, Look
from temper.core.schema import Schema
from temper.guard.serving.bench import Bench
from temper.guard.serving.posed import Posed

ROW = "row"
"""The column that may name the held-out row which a line changes; a column of the model of this name is the model's."""
MOST_BYTES, MOST_ROWS = 1_000_000, 500
_SEPARATORS = ",;\t"
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "a spreadsheet", b"PAR1": "Parquet"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pasted:
    """A line: where it stands, which row it starts from, the values it gives, and the row that comes of it with what is
    seen; or why it cannot be read (`wrong`).
    """

    line: int
    start: str = EMPTY
    given: Mapping[str, str] = field(default_factory=dict)
    posed: Posed | None = None
    look: Look | None = None
    wrong: str = ""


def pasted(bench: Bench, raw: bytes) -> list[Pasted]:
    """Every line of it on this bench. A cell that cannot be read is told of its line; what is no table of these columns
    raises `TemperError`.
    """
    if not bench.system.schema.columns:
        raise TemperError("this model takes pictures, which no CSV holds", fix="bring one as a PNG")
    return [_seen(bench, line, cells) for line, cells in _cells(_text(raw), bench.system.schema)]


def of_file(path: Path) -> bytes:
    """What stands in a file, unless that is more than is tried by hand."""
    if not path.is_file():
        raise TemperError(f"there is no file {path}", fix="name a CSV file with a line of column names")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise TemperError(f"{path} has {size / 1e6:,.0f} MB", fix=_FEWER)
    return path.read_bytes()


_FEWER = f"try up to {MOST_ROWS} rows by hand, in at most {MOST_BYTES // 1_000_000} MB; `temper attack` takes tables"


def _text(raw: bytes) -> str:
    if len(raw) > MOST_BYTES:
        raise TemperError(f"what was brought has {len(raw) / 1e6:,.1f} MB", fix=_FEWER)
    if mark := next((name for begin, name in _MARKS.items() if raw.startswith(begin)), ""):
        raise TemperError(f"what was brought is {mark}, no CSV", fix="save it as CSV in UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemperError(
            f"byte {error.start:,} of what was brought is not UTF-8", fix="save it as CSV in UTF-8"
        ) from None
    if "\0" in text:
        raise TemperError("what was brought holds a NUL, so it is no CSV", fix="save it as CSV in UTF-8")
    return text


def _cells(text: str, schema: Schema) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, value by column) of every line that is not empty."""
    lines = _lines(text)
    header = [name.strip() for name in next(lines, (0, []))[1]]
    _refuse_header(header, schema)
    for number, (line, values) in enumerate(lines, start=1):
        if number > MOST_ROWS:
            raise TemperError(f"what was brought has more than {MOST_ROWS} rows", fix=_FEWER)
        if len(values) != len(header):
            raise TemperError(
                f"line {line} has {len(values)} values, the first line names {len(header)} columns",
                fix="put quotes round a value that holds the separator",
            )
        yield line, dict(zip(header, values, strict=True))


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=first.count), strict=True)
    try:
        for values in reader:
            if any(value.strip() for value in values):
                yield reader.line_num, values
    except csv.Error as error:
        raise TemperError(f"line {reader.line_num} is no CSV: {error}", fix="save it as CSV in UTF-8") from None


def _refuse_header(header: Sequence[str], schema: Schema) -> None:
    known = (*schema.names, ROW)
    if not header:
        raise TemperError("nothing was brought", fix=f"write a line of column names first: {','.join(schema.names)}")
    for name in header:
        if header.count(name) > 1:
            raise TemperError(f"the column {name[:40]!r} stands there twice", fix="take one of them out")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known[:12])}"
            raise TemperError(f"the model has no column {name[:40]!r}", fix=fix)


def _seen(bench: Bench, line: int, cells: Mapping[str, str]) -> Pasted:
    """What comes of a line. From a held-out row an empty cell changes nothing; a row from nothing gives every value."""
    schema, row = bench.system.schema, ""
    given = {name: text for name, text in cells.items() if name in schema.names}
    if ROW not in schema.names:
        row = cells.get(ROW, "").strip()
    start = f"row {row}" if row else EMPTY
    if row:
        given = {name: text for name, text in given.items() if text.strip()}
    try:
        one, faults = bench.edited(_started(bench, row, given), given)
        if faults:
            raise faults[0]
        return Pasted(line=line, start=start, given=given, posed=one, look=bench.look(one))
    except TemperError as error:
        return Pasted(line=line, start=start, given=given, wrong=f"{error.message}: {error.fix}")


def _started(bench: Bench, row: str, given: Mapping[str, str]) -> Posed:
    if row:
        if not (row.removeprefix("-").isdecimal() and len(row) < 19):
            raise TemperError(f"{row[:40]!r} is no number of a held-out row", fix="leave it empty for a new row")
        return bench.row(int(row))
    columns = bench.system.schema.columns
    if absent := [one.name for one in columns if not one.formula and one.name not in given]:
        raise TemperError(
            f"a new row needs every value, and {absent[0]} is not there", fix=f"add it, or {ROW}: a held-out row"
        )
    return bench.nothing()
