"""Runs in short: pages of a list, and the newest run that measured each family. No document of a run is read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from temper.core.errors import TemperError
from temper.core.outline import Outline
from temper.core.requirement import Verdict
from temper.store.codec import from_json

_COLUMNS = (
    "run, o.system, suite, started, seconds, state, verdict, simulated, judged, figures, findings, model, o.data, "
    "reference, attacks, families, "
    "(SELECT f.started FROM outlines f WHERE f.system = o.system AND f.data = o.data ORDER BY f.number LIMIT 1)"
)
_NAMES = tuple(Outline.__dataclass_fields__)
_FAMILIES = (
    "WITH RECURSIVE known (family) AS (SELECT min(family) FROM measured WHERE system = :system UNION ALL "
    "SELECT (SELECT min(family) FROM measured m WHERE m.system = :system AND m.family > known.family) FROM known "
    "WHERE known.family IS NOT NULL) "
)
"""Each family by one look into the index, so that the number of runs does not matter."""
_NEWEST = (
    f"{_FAMILIES}SELECT {_COLUMNS} FROM outlines o WHERE number IN ("
    "SELECT (SELECT max(number) FROM measured m WHERE m.system = :system AND m.family = known.family) FROM known UNION "
    "SELECT (SELECT max(number) FROM measured m WHERE m.system = :system AND m.family = known.family "
    "AND m.model = :model) FROM known) ORDER BY number"
)


def page(database: sqlite3.Connection, filters: Sequence[tuple[str, Any]], limit: int, offset: int) -> list[Outline]:
    """The newest runs of which all of this is true, the newest first."""
    where, values = _where(filters)
    sql = f"SELECT {_COLUMNS} FROM outlines o {where} ORDER BY number DESC LIMIT ? OFFSET ?"
    return [_outline(row) for row in database.execute(sql, (*values, limit, offset))]


def count(database: sqlite3.Connection, filters: Sequence[tuple[str, Any]]) -> int:
    """How many runs there are of which all of this is true."""
    where, values = _where(filters)
    return int(database.execute(f"SELECT count(*) FROM outlines o {where}", values).fetchone()[0])


def words(database: sqlite3.Connection, column: str) -> list[str]:
    """Every value of this column."""
    if column not in ("system", "suite"):
        raise TemperError(f"runs are not told apart by {column!r}", fix="use system or suite")
    return [str(word) for (word,) in database.execute(f"SELECT DISTINCT {column} FROM outlines ORDER BY {column}")]


def before(database: sqlite3.Connection, system: str, model: str) -> str | None:
    """The newest finished run of another model."""
    sql = "SELECT run FROM outlines WHERE system = ? AND state = 'finished' AND model != ? ORDER BY number DESC LIMIT 1"
    row = database.execute(sql, (system, model)).fetchone()
    return str(row[0]) if row else None


def showing(database: sqlite3.Connection, finding: str) -> list[tuple[str, str]]:
    """The runs that show this finding, the newest first."""
    sql = "SELECT o.run, o.started FROM findings f JOIN outlines o ON o.run = f.run WHERE f.id = ? ORDER BY number DESC"
    return [(str(run), str(started)) for run, started in database.execute(sql, (finding,))]


def newest(database: sqlite3.Connection, system: str, model: str) -> list[Outline]:
    """The newest finished run of each family, of this model and of any; the first saved first."""
    return [_outline(row) for row in database.execute(_NEWEST, {"system": system, "model": model})]


def _where(filters: Sequence[tuple[str, Any]]) -> tuple[str, tuple[Any, ...]]:
    """The names are this program's, the values anybody's."""
    if not filters:
        return "", ()
    return f"WHERE {' AND '.join(f'o.{name} = ?' for name, _ in filters)}", tuple(value for _, value in filters)


def _outline(row: Sequence[Any]) -> Outline:
    named = dict(zip(_NAMES, row, strict=True))
    families = tuple(sorted(from_json(named["families"])))
    told = {"verdict": Verdict(named["verdict"]), "simulated": bool(named["simulated"]), "families": families}
    return Outline(**named | told)
