"""Runs in short: pages of a list, and the newest run that measured each family. No document of a run is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.errors import TemperError
from temper.core.outline import Outline, outlined
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.store.codec import from_json, to_json
from temper.store.control.database import Row, Transaction

_STORED = tuple(name for name in Outline.__dataclass_fields__ if name != "first")
_COLUMNS = (
    f"{', '.join(f'o.{name}' for name in _STORED)}, "
    "(SELECT f.started FROM outlines f WHERE f.system = o.system AND f.data = o.data ORDER BY f.number LIMIT 1) "
    "AS first"
)
_ALL = 2**62
_KNOWN = (
    "WITH RECURSIVE known (word) AS (SELECT min({0}) FROM {1} WHERE {2} UNION ALL "
    "SELECT (SELECT min({0}) FROM {1} WHERE {2} AND {0} > known.word) FROM known WHERE known.word IS NOT NULL) "
)
"""Each word of a column by one look into the index, so that the number of runs does not matter."""
_NEWEST = (
    f"{_KNOWN.format('family', 'measured', 'system = ?')}SELECT {_COLUMNS} FROM outlines o WHERE number IN ("
    "SELECT (SELECT max(number) FROM measured m WHERE m.system = ? AND m.family = known.word) FROM known UNION "
    "SELECT (SELECT max(number) FROM measured m WHERE m.system = ? AND m.family = known.word "
    "AND m.model = ?) FROM known) ORDER BY number"
)
_LATEST = (
    f"{_KNOWN.format('system', 'outlines', '1 = 1')}SELECT {_COLUMNS} FROM outlines o WHERE number IN ("
    "SELECT (SELECT max(number) FROM outlines n WHERE n.system = known.word AND n.state = 'finished') FROM known)"
)


def put(rows: Transaction, record: Record) -> None:
    """What is asked of a run, beside its document."""
    found = outlined(record)
    told = {name: getattr(found, name) for name in _STORED}
    told |= {"verdict": found.verdict.value, "families": to_json(sorted(found.families))}
    told |= {"simulated": int(found.simulated)}
    values = [_word(one) if isinstance(one, str) else one for one in told.values()]
    rows.all(f"INSERT INTO outlines ({', '.join(told)}) VALUES ({', '.join('?' * len(told))})", *values)
    if record.state == "finished":
        sql = "INSERT INTO measured SELECT system, ?, model, number FROM outlines WHERE run = ?"
        for family in found.families:
            rows.all(sql, family, record.id)


def page(rows: Transaction, filters: Sequence[tuple[str, Any]], limit: int, offset: int) -> list[Outline]:
    """The newest runs of which all of this is true, the newest first."""
    where, values = _where(filters)
    # What is skipped is cut off first: the last page looks for the first run on no other rows than its own.
    cut = f"SELECT * FROM outlines o {where} ORDER BY number DESC LIMIT ? OFFSET ?"
    sql = f"SELECT {_COLUMNS} FROM ({cut}) o ORDER BY number DESC"
    return [_outline(row) for row in rows.all(sql, *values, _ALL if limit < 0 else limit, offset)]


def count(rows: Transaction, filters: Sequence[tuple[str, Any]]) -> int:
    """How many runs there are of which all of this is true."""
    where, values = _where(filters)
    found = rows.one(f"SELECT count(*) AS many FROM outlines o {where}", *values)
    return int(found["many"]) if found else 0


def words(rows: Transaction, column: str) -> list[str]:
    """Every value of this column."""
    if column not in ("system", "suite"):
        raise TemperError(f"runs are not told apart by {column!r}", fix="use system or suite")
    known = _KNOWN.format(column, "outlines", "1 = 1")
    return [str(row["word"]) for row in rows.all(f"{known}SELECT word FROM known WHERE word IS NOT NULL ORDER BY word")]


def before(rows: Transaction, system: str, model: str) -> str | None:
    """The newest finished run of another model."""
    sql = "SELECT run FROM outlines WHERE system = ? AND state = 'finished' AND model != ? ORDER BY number DESC LIMIT 1"
    row = rows.one(sql, _word(system), model)
    return str(row["run"]) if row else None


def showing(rows: Transaction, finding: str) -> list[tuple[str, str]]:
    """The runs that show this finding, the newest first."""
    sql = "SELECT o.run, o.started FROM findings f JOIN outlines o ON o.run = f.run WHERE f.id = ? ORDER BY number DESC"
    return [(str(row["run"]), str(row["started"])) for row in rows.all(sql, finding)]


def newest(rows: Transaction, system: str, model: str) -> list[Outline]:
    """The newest finished run of each family, of this model and of any; the first saved first."""
    system = _word(system)
    return [_outline(row) for row in rows.all(_NEWEST, system, system, system, system, model)]


def latest(rows: Transaction) -> list[Outline]:
    """The newest finished run of every system."""
    return [_outline(row) for row in rows.all(_LATEST)]


def _where(filters: Sequence[tuple[str, Any]]) -> tuple[str, tuple[Any, ...]]:
    """The names are this program's, the values anybody's."""
    if not filters:
        return "", ()
    return f"WHERE {' AND '.join(f'o.{name} = ?' for name, _ in filters)}", tuple(_word(value) for _, value in filters)


def _outline(row: Row) -> Outline:
    families = tuple(sorted(from_json(row["families"])))
    told = {"verdict": Verdict(row["verdict"]), "simulated": bool(row["simulated"]), "families": families}
    return Outline(**row | told)


def _word(text: str) -> str:
    """A text as a column holds it: lone surrogates and zeros, which none can, are written as question marks."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
