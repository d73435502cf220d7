"""The store: runs, findings and finished tasks in one SQLite file, safe for many processes and for kill -9."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.errors import StoreError, TemperError
from temper.core.finding import Finding
from temper.core.outline import Outline
from temper.core.run import Record
from temper.store import outlines
from temper.store.blobs import Blobs, Damaged
from temper.store.codec import dump, from_json, to_json, unwrap, wrap
from temper.store.evidence import said
from temper.store.evidence.ledger import Evidence
from temper.store.failure import RESUME, told
from temper.store.migrate import migrate

WAIT = 30.0
"""Seconds to wait for another process that is writing."""


@dataclass(frozen=True, slots=True)
class Store:
    """Runs are immutable once finished; tasks are answers by their cache key.

    Each operation opens its own connection, so a Store can be shared between threads, pickled and used after a fork.
    """

    path: Path

    @classmethod
    def open(cls, path: str | Path = ".temper/temper.db") -> Store:
        """The store in this file (or in `.temper/temper.db` of this folder), created or migrated when needed.

        Raises `StoreError` when the file is of a newer Temper, of another program, damaged or not writable.
        """
        path = Path(path)
        path = (path / ".temper" / "temper.db" if path.is_dir() else path).absolute()
        with told(path, RESUME):
            _make_folder(path.parent)
            with closing(_connect(path)) as database:
                migrate(database, str(path))
                database.execute("PRAGMA journal_mode = WAL")
        return cls(path)

    @classmethod
    def near(cls, folder: Path) -> Store:
        """The store of this folder, or of the folder around it when only that has one (a hardened system lies in a
        folder of the system it came from), else a new one.
        """
        return cls.open(home(folder))

    @property
    def blobs(self) -> Blobs:
        """The arrays beside the database."""
        return Blobs(self.path.parent / "blobs")

    @property
    def evidence(self) -> Evidence:
        """The ledger beside the database: every run is told to it, and what was found changed is not written over."""
        return Evidence(self.path.parent / "evidence")

    # -- tasks ------------------------------------------------------------------------------------------------------

    def save_task(
        self, key: str, name: str, document: Mapping[str, Any], arrays: Mapping[str, Any] | None = None
    ) -> None:
        """Keep what a finished task found under its cache key. The arrays are on the disk before the row names them."""
        text = to_json(dump(document))
        hashes = to_json({field: self.blobs.put_array(np.asarray(array)) for field, array in (arrays or {}).items()})
        self._tell_again(key, said.of_task(text, hashes))
        with self._writing() as database:
            database.execute(
                "INSERT INTO tasks (key, name, document, arrays) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                "name = excluded.name, document = excluded.document, arrays = excluded.arrays",
                (key, name, text, hashes),
            )

    def task(self, key: str) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]] | None:
        """The document and the arrays of a finished task; None when there is none, or when one of its arrays is gone
        or was changed on disk: such a task is to be run again, not believed.
        """
        with self._reading() as database:
            row = database.execute("SELECT document, arrays FROM tasks WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            arrays = {field: self.blobs.get_array(name) for field, name in from_json(row[1]).items()}
        except Damaged:
            return None
        return from_json(row[0]), arrays

    def tasks(self) -> Iterator[tuple[str, str, bytes]]:
        """(key, name, digest) of every finished task: of what it found, as the ledger is told it."""
        with self._reading() as database:
            rows = database.execute("SELECT key, name, document, arrays FROM tasks ORDER BY rowid")
            yield from ((key, name, said.of_task(text, arrays)) for key, name, text, arrays in rows)

    def documents_of(self, name: str) -> list[dict[str, Any]]:
        """What every finished task of this name found, the first kept first."""
        with self._reading() as database:
            rows = database.execute("SELECT document FROM tasks WHERE name = ? ORDER BY rowid", (name,)).fetchall()
        return [from_json(text) for (text,) in rows]

    # -- runs -------------------------------------------------------------------------------------------------------

    def next_run_id(self) -> str:
        """A run number nobody else gets: "0001", "0002" and so on."""
        with self._writing() as database:
            (number,) = database.execute(
                "SELECT 1 + max(coalesce((SELECT max(number) FROM numbers), 0), "
                "coalesce((SELECT max(CAST(id AS INTEGER)) FROM runs WHERE id NOT GLOB '*[^0-9]*'), 0))"
            ).fetchone()
            database.execute("INSERT INTO numbers VALUES (?)", (number,))
        return f"{number:04d}"

    def save_run(self, record: Record) -> None:
        """Keep a run with its findings, and tell the ledger. A stopped or failed run may be saved again, a finished one
        never. Where the ledger cannot be written the run is kept all the same, and told with the next one.
        """
        if not record.id or record.id == "last":
            raise StoreError(f"{record.id!r} cannot be the id of a run", fix="take one from next_run_id()")
        text = to_json(wrap("temper.run", record))
        findings = [(f.id, record.id, f.task, to_json(wrap("temper.finding", f))) for f in record.findings]
        with self._writing() as database:
            database.execute("DELETE FROM runs WHERE id = ? AND state != 'finished'", (record.id,))
            database.execute("INSERT INTO runs VALUES (?, ?, 'open', ?)", (record.id, record.started, text))
            database.executemany("INSERT INTO findings VALUES (?, ?, ?, ?)", findings)
            database.execute("UPDATE runs SET state = ? WHERE id = ?", (record.state, record.id))
        self._tell(record, text)

    def documents(self) -> Iterator[tuple[str, str]]:
        """(id, document) of every run as it is stored, one at a time, the first saved first."""
        with self._reading() as database:
            yield from database.execute("SELECT id, document FROM runs ORDER BY rowid")

    def document(self, run: str) -> str:
        """A run as it is stored, by its whole id."""
        with self._reading() as database:
            row = database.execute("SELECT document FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise _not_one("run", run, [])
        return str(row[0])

    def told_apart(self) -> dict[str, tuple[str, str, list[str]]]:
        """(start, state, findings) of every run as they stand beside its document."""
        with self._reading() as database:
            found: dict[str, list[str]] = {}
            for run, text in database.execute("SELECT run, document FROM findings ORDER BY rowid"):
                found.setdefault(run, []).append(text)
            rows = database.execute("SELECT id, started, state FROM runs").fetchall()
        return {run: (started, state, found.get(run, [])) for run, started, state in rows}

    def run(self, name: str = "last") -> Record:
        """The run of this id, of the only id that starts like this, or the last one saved.

        Raises `TemperError` when there is none or more than one.
        """
        with self._reading() as database:
            row = database.execute(
                "SELECT id, document FROM runs WHERE id IN (?, ?) ORDER BY id != ?", (name, name.zfill(4), name)
            ).fetchone()
            if row is None and name == "last":
                row = database.execute("SELECT id, document FROM runs ORDER BY rowid DESC LIMIT 1").fetchone()
            if row is None:
                row = _only(database, name)
        return unwrap("temper.run", Record, from_json(row[1]))

    def runs(self) -> list[Record]:
        """Every run, the first saved first."""
        with self._reading() as database:
            rows = database.execute("SELECT document FROM runs ORDER BY rowid").fetchall()
        return [unwrap("temper.run", Record, from_json(text)) for (text,) in rows]

    def outlines(self, limit: int = -1, offset: int = 0, **wanted: str) -> list[Outline]:
        """The newest runs in short, the newest first; `wanted` are a system, suite, state, verdict or model."""
        with self._reading() as database:
            return outlines.page(database, tuple(wanted.items()), limit, offset)

    def counted(self, **wanted: str) -> int:
        """How many runs there are of which all of this is true."""
        with self._reading() as database:
            return outlines.count(database, tuple(wanted.items()))

    def measured(self, system: str, model: str) -> list[Outline]:
        """The newest finished runs that measured each family of plugins: of this model, and of any."""
        with self._reading() as database:
            return outlines.newest(database, system, model)

    def before(self, system: str, model: str) -> str | None:
        """The newest finished run of another model, None where there is none."""
        with self._reading() as database:
            return outlines.before(database, system, model)

    def showing(self, finding: str) -> list[tuple[str, str]]:
        """The runs that show this finding, each with when it was started, the newest first."""
        with self._reading() as database:
            return outlines.showing(database, finding)

    def words(self, column: str) -> list[str]:
        """What runs have as their `system` or `suite`, in order."""
        with self._reading() as database:
            return outlines.words(database, column)

    def findings(self, *runs: str) -> list[tuple[Finding, str]]:
        """The findings of these runs, each with its run."""
        marks = ", ".join("?" * len(runs))
        with self._reading() as database:
            rows = database.execute(f"SELECT document, run FROM findings WHERE run IN ({marks})", runs).fetchall()
        return [(unwrap("temper.finding", Finding, from_json(text)), run) for text, run in rows]

    def finding(self, name: str) -> tuple[Finding, str]:
        """The finding of this id (or of the only id that starts like this) and the last run that shows it.

        Raises `TemperError` when there is none or more than one.
        """
        query = "SELECT f.id, f.document, f.run FROM findings f JOIN runs r ON r.id = f.run WHERE {} ORDER BY r.rowid"
        with self._reading() as database:
            rows = database.execute(query.format("f.id = ?"), (name,)).fetchall()
            rows = rows or database.execute(query.format("substr(f.id, 1, ?) = ?"), (len(name), name)).fetchall()
        if len({row[0] for row in rows}) != 1:
            raise _not_one("finding", name, sorted({row[0] for row in rows}))
        _, text, run = rows[-1]
        return unwrap("temper.finding", Finding, from_json(text)), run

    # -- inside -----------------------------------------------------------------------------------------------------

    def _tell_again(self, key: str, found: bytes) -> None:
        """A task that was measured again is told before it is written, so that what is stored is always something that
        the ledger was told. The time is that of the record before: a store has no clock.
        """
        with self._reading() as database:
            row = database.execute("SELECT document, arrays FROM tasks WHERE key = ?", (key,)).fetchone()
        if row is None or said.of_task(*row) == found or not self.evidence.path.exists():
            return
        with self.evidence.writing() as log:
            last = self.evidence.records()[-1][1]
            self.evidence.put(log, [(said.TASKS, said.Tasks(found={key: found}))], last.wall)

    def _tell(self, record: Record, text: str) -> None:
        """Tasks that were finished since it was told last come first, then runs that it has not heard of, as late: of
        an older Temper, or of a disk that was full.
        """
        evidence = self.evidence
        with evidence.writing() as log:
            lines = [one for _, one in evidence.records()]
            known = {record.id, *(said.told_run(one).run for one in lines if one.kind == said.RUN)}
            told = {key for one in lines if one.kind == said.TASKS for key in said.told_tasks(one).found}
            new = {key: found for key, _, found in self.tasks() if key not in told}
            with self._reading() as database:
                stored = [run for (run,) in database.execute("SELECT id FROM runs ORDER BY rowid").fetchall()]
            older = [said.of_run(self.document(run), late=True) for run in stored if run not in known]
            tasks = [(said.TASKS, said.Tasks(found=new))] if new else []
            runs = [(said.RUN, one) for one in (*older, said.of_run(text))]
            evidence.put(log, [*tasks, *runs], said.ended(record))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with told(self.path, RESUME), closing(_connect(self.path)) as database:
            yield database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, holding the write lock from its start so that it never fails half way for a lock."""
        self.evidence.refuse()
        with told(self.path, RESUME), closing(_connect(self.path)) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                database.rollback()
                raise


def home(folder: Path) -> Path:
    """The folder whose `.temper` keeps the runs of a temper.yaml in this one."""
    around = folder.resolve().parent
    inside = (around / ".temper").exists() and (around / "temper.yaml").exists()
    return around if folder.is_dir() and not (folder / ".temper").exists() and inside else folder


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA synchronous = FULL")
    return database


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Adversarial rows are real rows, slightly moved: they do not belong into a code repository.
        (folder / ".gitignore").write_text("*\n", encoding="ascii")


def _only(database: sqlite3.Connection, start: str) -> Any:
    rows = database.execute("SELECT id, document FROM runs WHERE substr(id, 1, ?) = ?", (len(start), start)).fetchall()
    if len(rows) != 1 or not start:
        raise _not_one("run", start, [row[0] for row in rows])
    return rows[0]


def _not_one(what: str, name: str, found: list[str]) -> TemperError:
    if found:
        return TemperError(
            f"{name!r} is the start of {len(found)} {what}s: {', '.join(found[:5])}", fix="give more of it"
        )
    return TemperError(f"there is no {what} {name!r} in the store", fix="list what there is, or assess first")
