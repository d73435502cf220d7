"""The store: runs, findings and finished tasks, safe for many processes and for kill -9: in one SQLite file, or in a
PostgreSQL database that many machines share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from temper.core.errors import StoreError, TemperError
from temper.core.finding import Finding
from temper.core.outline import Outline
from temper.core.risk import Register
from temper.core.run import Record
from temper.store import outlines
from temper.store.blobs import Blobs, Damaged
from temper.store.codec import dump, from_json, load, to_json, unwrap, wrap
from temper.store.control.database import Row, Transaction
from temper.store.evidence import said
from temper.store.evidence.ledger import Evidence
from temper.store.evidence.shared import Shared, tell_again, tell_run
from temper.store.failure import RESUME, told
from temper.store.place import PATIENCE, InFile, OnServer, Place, current, hidden, named

STORE, BLOBS = "TEMPER_STORE", "TEMPER_BLOBS"
"""Variables that say where runs and arrays are kept, before anything that is written in a temper.yaml."""
PAGE = 100
"""Rows that are read at once."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Store:
    """Runs are immutable once finished; tasks are answers by their cache key.

    `path` is the SQLite file. With a `url` the rows are in that database, and beside `path` lie this machine's copy of
    the ledger and, without `bucket` (a URL of fsspec), the arrays. A Store can be shared between threads, pickled and
    used after a fork. It waits `patience` seconds for a server that went away.
    """

    path: Path
    url: str = field(default="", repr=False)
    bucket: str = field(default="", repr=False)
    patience: float = PATIENCE

    @classmethod
    def open(cls, path: str | Path = ".temper/temper.db", url: str = "", bucket: str = "") -> Store:
        """The store in this file (or in `.temper/temper.db` of this folder; what is not there yet and has no ending is
        one), created or migrated when needed; with a `postgresql://` URL the one in that database.

        Raises `StoreError` when it is of a newer Temper, of another program, damaged, not writable or not reached.
        """
        path = Path(path)
        folder = path.is_dir() or not (path.suffix or path.exists())
        path = (path / ".temper" / "temper.db" if folder else path).absolute()
        store = cls(path, url, bucket)
        if url:
            named(url)
            replace(store, patience=0.0)._read(lambda rows: None)  # who mistyped it need not wait
        with told(path, RESUME):
            hidden(path.parent)
            if not url:
                current(path)
        return store

    @classmethod
    def near(cls, folder: Path, url: str = "", bucket: str = "") -> Store:
        """The store of this folder, or of the folder around it when only that has one (a hardened system lies in a
        folder of the system it came from), else a new one. TEMPER_STORE, which may be a path, and TEMPER_BLOBS are
        before `url` and `bucket`.
        """
        place, bucket = os.environ.get(STORE, "") or url, os.environ.get(BLOBS, "") or bucket
        place = named(place) if place else ""
        return cls.open(home(folder), place, bucket) if "://" in place or not place else cls.open(place, "", bucket)

    @classmethod
    def there(cls, folder: Path, url: str = "", bucket: str = "") -> Store | None:
        """The same where something may have been kept, and None where nothing ever was: nothing is made."""
        if url or os.environ.get(STORE):
            return cls.near(folder, url, bucket)
        path = (home(folder) / ".temper" / "temper.db").absolute()
        return cls(path, "", os.environ.get(BLOBS, "") or bucket) if path.exists() else None

    @property
    def blobs(self) -> Blobs:
        """The arrays beside the database, or where `bucket` says."""
        return Blobs(self.path.parent / "blobs", self.bucket)

    @property
    def evidence(self) -> Evidence:
        """The ledger beside the database: every run is told to it, and what was found changed is not written over. The
        one of a database that is shared is another one than the one of this folder's own runs.
        """
        if not self.url:
            return Evidence(self.path.parent / "evidence")
        return Evidence(self.path.parent / "shared", Shared(self._place))

    # -- tasks ------------------------------------------------------------------------------------------------------

    def save_task(
        self, key: str, name: str, document: Mapping[str, Any], arrays: Mapping[str, Any] | None = None
    ) -> None:
        """Keep what a finished task found under its cache key. The arrays are on the disk before the row names them."""
        text = to_json(dump(document))
        hashes = to_json({field: self.blobs.put_array(np.asarray(array)) for field, array in (arrays or {}).items()})
        found = said.of_task(text, hashes)
        if not self.url:
            self._tell_again(key, found)

        def work(rows: Transaction) -> None:
            if self.url:
                tell_again(rows, key, found)
            rows.all(
                "INSERT INTO tasks (key, name, document, arrays) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                "name = excluded.name, document = excluded.document, arrays = excluded.arrays",
                *(key, name, text, hashes),
            )

        self._write(work)

    def task(self, key: str) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]] | None:
        """The document and the arrays of a finished task; None when there is none, or when one of its arrays is gone
        or was changed on disk: such a task is to be run again, not believed.
        """
        row = self._one("SELECT document, arrays FROM tasks WHERE key = ?", key)
        if row is None:
            return None
        try:
            arrays = {field: self.blobs.get_array(name) for field, name in from_json(row["arrays"]).items()}
        except Damaged:
            return None
        return from_json(row["document"]), arrays

    def tasks(self) -> Iterator[tuple[str, str, bytes]]:
        """(key, name, digest) of every finished task: of what it found, as the ledger is told it."""
        for row in self._every("SELECT rowid, key, name, document, arrays FROM tasks"):
            yield row["key"], row["name"], said.of_task(row["document"], row["arrays"])

    def documents_of(self, name: str) -> dict[str, dict[str, Any]]:
        """What every finished task of this name found, by its key, the first kept first."""
        rows = self._all("SELECT key, document FROM tasks WHERE name = ? ORDER BY rowid", name)
        return {row["key"]: from_json(row["document"]) for row in rows}

    # -- runs -------------------------------------------------------------------------------------------------------

    def next_run_id(self) -> str:
        """A run number nobody else gets: "0001", "0002" and so on."""

        def work(rows: Transaction) -> int:
            last = rows.one("SELECT coalesce(max(number), 0) AS number FROM numbers")
            number = int(last["number"]) + 1 if last else 1
            rows.all("INSERT INTO numbers (number) VALUES (?)", number)
            return number

        return f"{self._write(work):04d}"

    def save_run(self, record: Record) -> None:
        """Keep a run with its findings, and tell the ledger. A stopped or failed run may be saved again, a finished one
        never. Where the ledger cannot be written the run is kept all the same, and told with the next one.
        """
        if not record.id or record.id == "last":
            raise StoreError(f"{record.id!r} cannot be the id of a run", fix="take one from next_run_id()")
        text, tries = to_json(wrap("temper.run", record)), 0

        def work(rows: Transaction) -> None:
            nonlocal tries
            tries += 1
            there = rows.one("SELECT document FROM runs WHERE id = ? AND state = 'finished'", record.id)
            if there is not None and tries > 1 and there["document"] == text:
                return  # it was kept, and only the answer was lost
            if there is not None:
                raise StoreError(f"run {record.id} is finished and cannot be replaced")
            _insert(rows, record, text)
            if self.url:
                tell_run(rows, record, text)

        self._write(work)
        self._tell(record, text)

    def documents(self) -> Iterator[tuple[str, str]]:
        """(id, document) of every run as it is stored, one at a time, the first saved first."""
        for row in self._every("SELECT rowid, id, document FROM runs"):
            yield row["id"], row["document"]

    def document(self, run: str) -> str:
        """A run as it is stored, by its whole id."""
        row = self._one("SELECT document FROM runs WHERE id = ?", run)
        if row is None:
            raise _not_one("run", run, [])
        return str(row["document"])

    def told_apart(self) -> dict[str, tuple[str, str, list[str]]]:
        """(start, state, findings) of every run as they stand beside its document."""
        found: dict[str, list[str]] = {}
        for row in self._all("SELECT run, document FROM findings ORDER BY rowid"):
            found.setdefault(row["run"], []).append(row["document"])
        rows = self._all("SELECT id, started, state FROM runs")
        return {row["id"]: (row["started"], row["state"], found.get(row["id"], [])) for row in rows}

    def run(self, name: str = "last") -> Record:
        """The run of this id, of the only id that starts like this, or the last one saved.

        Raises `TemperError` when there is none or more than one.
        """
        found = self._one("SELECT id FROM runs WHERE id IN (?, ?) ORDER BY id != ?", name, name.zfill(4), name)
        if found is None and name == "last":
            found = self._one("SELECT id FROM runs ORDER BY rowid DESC LIMIT 1")
        if found is None:
            starting = self._all("SELECT id FROM runs WHERE id >= ? AND id < ?", name, f"{name}{_LAST}")
            if len(starting) != 1 or not name:
                raise _not_one("run", name, [row["id"] for row in starting])
            found = starting[0]
        return unwrap("temper.run", Record, from_json(self.document(found["id"])))

    def register(self, run: str) -> Register | None:
        """The risk register of a run, by its whole id: nothing else of it is read."""
        plain = from_json(self.document(run)).get("risk")
        return None if plain is None else load(Register, plain)

    def runs(self) -> list[Record]:
        """Every run, the first saved first."""
        return [unwrap("temper.run", Record, from_json(text)) for _, text in self.documents()]

    def outlines(self, limit: int = -1, offset: int = 0, **wanted: str) -> list[Outline]:
        """The newest runs in short, the newest first; `wanted` are a system, suite, state, verdict or model."""
        return self._read(lambda rows: outlines.page(rows, tuple(wanted.items()), limit, offset))

    def counted(self, **wanted: str) -> int:
        """How many runs there are of which all of this is true."""
        return self._read(lambda rows: outlines.count(rows, tuple(wanted.items())))

    def measured(self, system: str, model: str) -> list[Outline]:
        """The newest finished runs that measured each family of plugins: of this model, and of any."""
        return self._read(lambda rows: outlines.newest(rows, system, model))

    def latest(self) -> list[Outline]:
        """The newest finished run of every system."""
        return self._read(outlines.latest)

    def standing(self, system: str, model: str, latest: int) -> tuple[list[Outline], list[Outline]]:
        """The latest finished runs of a system, the newest first, and what `measured` gives, at one moment."""
        wanted = (("system", system), ("state", "finished"))
        return self._read(lambda rows: (outlines.page(rows, wanted, latest, 0), outlines.newest(rows, system, model)))

    def before(self, system: str, model: str) -> str | None:
        """The newest finished run of another model, None where there is none."""
        return self._read(lambda rows: outlines.before(rows, system, model))

    def showing(self, finding: str) -> list[tuple[str, str]]:
        """The runs that show this finding, each with when it was started, the newest first."""
        return self._read(lambda rows: outlines.showing(rows, finding))

    def words(self, column: str) -> list[str]:
        """What runs have as their `system` or `suite`, in order."""
        return self._read(lambda rows: outlines.words(rows, column))

    def findings(self, *runs: str) -> list[tuple[Finding, str]]:
        """The findings of these runs, each with its run."""
        marks = ", ".join("?" * len(runs)) or "NULL"
        rows = self._all(f"SELECT document, run FROM findings WHERE run IN ({marks}) ORDER BY rowid", *runs)
        return [(unwrap("temper.finding", Finding, from_json(row["document"])), row["run"]) for row in rows]

    def finding(self, name: str) -> tuple[Finding, str]:
        """The finding of this id (or of the only id that starts like this) and the last run that shows it.

        Raises `TemperError` when there is none or more than one.
        """
        query = "SELECT f.id, f.document, f.run FROM findings f JOIN runs r ON r.id = f.run WHERE {} ORDER BY r.rowid"
        rows = self._all(query.format("f.id = ?"), name)
        rows = rows or self._all(query.format("f.id >= ? AND f.id < ?"), name, f"{name}{_LAST}")
        if len(names := {row["id"] for row in rows}) != 1:
            raise _not_one("finding", name, sorted(names))
        return unwrap("temper.finding", Finding, from_json(rows[-1]["document"])), rows[-1]["run"]

    # -- inside -----------------------------------------------------------------------------------------------------

    def _tell_again(self, key: str, found: bytes) -> None:
        """A task that was measured again is told before it is written, so that what is stored is always something that
        the ledger was told. The time is that of the record before: a store has no clock.
        """
        row = self._one("SELECT document, arrays FROM tasks WHERE key = ?", key)
        if row is None or said.of_task(row["document"], row["arrays"]) == found or not self.evidence.path.exists():
            return
        with self.evidence.writing() as log:
            last = self.evidence.records()[-1][1]
            self.evidence.put(log, [(said.TASKS, said.Tasks(found={key: found}))], last.wall)

    def _tell(self, record: Record, text: str) -> None:
        """Tasks that were finished since it was told last come first, then runs that it has not heard of, as late: of
        an older Temper, or of a disk that was full. A ledger that is shared was told already, and is followed.
        """
        evidence = self.evidence
        if self.url:
            evidence.caught_up()
            return
        with evidence.writing() as log:
            lines = [one for _, one in evidence.records()]
            known = {record.id, *(said.told_run(one).run for one in lines if one.kind == said.RUN)}
            told = {key for one in lines if one.kind == said.TASKS for key in said.told_tasks(one).found}
            new = {key: found for key, _, found in self.tasks() if key not in told}
            stored = [row["id"] for row in self._all("SELECT id FROM runs ORDER BY rowid")]
            older = [said.of_run(self.document(run), late=True) for run in stored if run not in known]
            tasks = [(said.TASKS, said.Tasks(found=new))] if new else []
            runs = [(said.RUN, one) for one in (*older, said.of_run(text))]
            evidence.put(log, [*tasks, *runs], said.ended(record))

    @property
    def _place(self) -> Place:
        return OnServer(self.url, self.patience) if self.url else InFile(self.path)

    def _read(self, work: Callable[[Transaction], T]) -> T:
        return self._place.read(work)

    def _write(self, work: Callable[[Transaction], T]) -> T:
        self.evidence.refuse()
        return self._place.write(work)

    def _all(self, sql: str, *values: Any) -> list[Row]:
        return self._read(lambda rows: rows.all(sql, *values))

    def _one(self, sql: str, *values: Any) -> Row | None:
        return self._read(lambda rows: rows.one(sql, *values))

    def _every(self, sql: str) -> Iterator[Row]:
        """Every row of a table, the first written first, a page at a time: nobody is kept from writing meanwhile."""
        after = -1
        while page := self._all(f"{sql} WHERE rowid > ? ORDER BY rowid LIMIT ?", after, PAGE):
            yield from page
            after = page[-1]["rowid"]


_LAST = chr(0x10FFFF)
"""Comes after everything that a name may go on with."""


def home(folder: Path) -> Path:
    """The folder whose `.temper` keeps the runs of a temper.yaml in this one."""
    around = folder.resolve().parent
    inside = (around / ".temper").exists() and (around / "temper.yaml").exists()
    return around if folder.is_dir() and not (folder / ".temper").exists() and inside else folder


def _insert(rows: Transaction, record: Record, text: str) -> None:
    """A run with its findings and its outline, in place of one that is not finished."""
    rows.all("DELETE FROM runs WHERE id = ? AND state != 'finished'", record.id)
    run = (record.id, record.started, text)
    rows.all("INSERT INTO runs (id, started, state, document) VALUES (?, ?, 'open', ?)", *run)
    for one in record.findings:
        finding = (one.id, record.id, one.task, to_json(wrap("temper.finding", one)))
        rows.all("INSERT INTO findings (id, run, task, document) VALUES (?, ?, ?, ?)", *finding)
    outlines.put(rows, record)
    if record.id.isdecimal() and record.id.isascii() and len(record.id) < 10:
        rows.all("INSERT INTO numbers (number) VALUES (?) ON CONFLICT (number) DO NOTHING", int(record.id))
    rows.all("UPDATE runs SET state = ? WHERE id = ?", record.state, record.id)


def _not_one(what: str, name: str, found: list[str]) -> TemperError:
    if found:
        return TemperError(
            f"{name!r} is the start of {len(found)} {what}s: {', '.join(found[:5])}", fix="give more of it"
        )
    return TemperError(f"there is no {what} {name!r} in the store", fix="list what there is, or assess first")
