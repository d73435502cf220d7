"""One byte of the evidence is changed, 10,000 times: is it found, and does what is found name the place?

    python -m bench.governance.tamper [--quick] [trials] [long]

Trials go over every byte of the ledger's own files (SQLite file, checkpoints, public key), of every stored run, and of
every file of an audit bundle, which its stand-alone verifier reads. What a trial did is told apart without Temper: a
SQLite file has bytes that no reader looks at (the rest of a page, a counter); a change there changes no record, and is
told by its page. The public key is read with and without the bytes of its envelope.
"""

from __future__ import annotations

import contextlib
import io
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.table import goal, machine, table
from temper.core.errors import TemperError
from temper.kernels.rate import clopper_pearson
from temper.store.database import Store
from temper.store.evidence import said, verifier
from temper.store.evidence.bundle import bundle
from temper.store.evidence.pages import PAGE, changed
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import record as lines
from temper.store.ledger import segment
from temper.store.ledger.log import Log
from temper.store.ledger.tree import Tree
from temper.store.ledger.verify import verify
from temper.testing.records import record

RUNS = 12
MANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one changed byte."""

    read: bool
    found: bool
    placed: bool


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick, parts = "--quick" in words, [word for word in words if word in ("trials", "long")] or ["trials", "long"]
    print(machine("cryptography"), flush=True)
    missed = 0
    if "trials" in parts:
        with tempfile.TemporaryDirectory() as here:
            missed = _trials(Path(here), 500 if quick else 10_000, 60 if quick else 1_000)
    if "long" in parts:
        with tempfile.TemporaryDirectory() as here:
            _long(Path(here), 100_000 if quick else MANY)
    return int(missed > 0)


def _trials(here: Path, many: int, bundles: int) -> int:
    """The three kinds of trials; how many changes of what is read were not found."""
    store = Store.open(here / ".temper" / "temper.db")
    for number in range(RUNS):
        store.save_run(replace(record(f"words of run {number}"), id=f"{number:04d}"))
    rng = random.Random(0)
    seen = {
        "ledger, its own files": [*_ledger(store, rng, many // 2)],
        "stored runs": [*_runs(store, rng, many - many // 2)],
        "files of a bundle": [*_bundle(store, here / "out", rng, bundles)],
    }
    rows, missed = [], 0
    for name, trials in seen.items():
        found, placed = sum(one.found for one in trials), sum(one.placed for one in trials)
        missed += len(trials) - found
        unread = [one for one in trials if not one.read]
        low = clopper_pearson(found, len(trials), 0.95, "lower")[0]
        seen_too = f"{sum(one.found for one in unread)} of {len(unread)}"
        rows.append([name, len(trials), found, placed, f"{low:.5f}", seen_too])
    columns = ["where", "trials", "found", "placed", "found at least", "read by nobody, found"]
    table("One byte changed at random", columns, rows)
    total = sum(int(row[1]) for row in rows)
    goal("changed bytes found", 100 * (1 - missed / total), 100, "%", at_least=True, digits=3)
    goal("and placed", 100 * sum(int(row[3]) for row in rows) / total, 100, "%", at_least=True, digits=3)
    return missed


@contextlib.contextmanager
def _flipped(path: Path, at: int, mask: int) -> Iterator[None]:
    """The file with one byte changed, for a moment."""
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)
        file.seek(at)
        file.write(bytes([old[0] ^ mask]))
        file.flush()
        yield
        file.seek(at)
        file.write(old)


def _places(files: list[Path], rng: random.Random, many: int) -> Iterator[tuple[Path, int, int]]:
    """Bytes of these files, each as likely as any other, and how each is changed."""
    sizes = np.cumsum([path.stat().st_size for path in files])
    for _ in range(many):
        at = rng.randrange(int(sizes[-1]))
        number = int(np.searchsorted(sizes, at, side="right"))
        yield files[number], at - (int(sizes[number - 1]) if number else 0), rng.randrange(1, 256)


def _ledger(store: Store, rng: random.Random, many: int) -> Iterator[Trial]:
    """`temper ledger verify` of the log with its checkpoints and key."""
    evidence = store.evidence
    files = [evidence.path, evidence.checkpoints, evidence.public]
    starts = _starts(evidence.path)
    before = {path: _dump(path) for path in files}
    for path, at, mask in _places(files, rng, many):
        with _flipped(path, at, mask):
            read = _dump(path) != before[path]
            said_ = _verified(evidence.path, evidence.folder, evidence.public)
        record_ = sum(start <= at for start in starts) - 1 if path == evidence.path else -1
        yield Trial(read, bool(said_), _placed(said_, path, record_, at))


def _placed(said_: str, path: Path, record_: int, at: int) -> bool:
    """Whether what is said names the record that was hit or the one after it, the page, or else the file."""
    if path.suffix == ".db" and f"page {at // PAGE}" in said_.split("\n"):
        return True
    named = {f"record {record_}", f"record {record_ + 1}", f"first {record_ + 1} records", path.name, "checkpoint"}
    return bool(said_) and any(word in said_ for word in named)


def _verified(log: Path, folder: Path, key: Path) -> str:
    """Everything that is said against it, "" where nothing is."""
    try:
        found = verify(log, folder, notes.public_key(key))
    except TemperError as error:  # a key that is none any more
        return f"{key.name}: {error}"
    pages = [f"page {at}" for at in changed(log)] + [key.name for _ in changed(key)]
    untold = [f"checkpoint: {found.size - found.signed} records after the last"] if found.size != found.signed else []
    return "\n".join([*found.faults, *found.notices, *untold, *pages])


def _dump(path: Path) -> object:
    """Everything a reader of this file gets; what went wrong where it gets nothing."""
    try:
        if path.suffix == ".pub":
            return notes.public_key(path)
        if path.suffix != ".db":
            return path.read_bytes()
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
            database.text_factory = bytes
            tables = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            pragmas = database.execute("PRAGMA application_id").fetchall()
            rows = [database.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in ("start", "batch")]
            return tables, pragmas, rows
    except (sqlite3.Error, UnicodeDecodeError, TemperError) as error:
        return str(error)


def _starts(path: Path) -> list[int]:
    """Where in the file each record begins."""
    raw = path.read_bytes()
    with closing(segment.reading(path)) as database:
        return [raw.find(data[:64]) for _, data in segment.rows(database)]


def _runs(store: Store, rng: random.Random, many: int) -> Iterator[Trial]:
    """A byte of a stored document, held against what the ledger was told of it."""
    told = {one.run: one for line in store.evidence.records() if (one := said.told_run(line[1]))}
    texts = {run: text.encode() for run, text in store.documents()}
    names = list(texts)
    for _ in range(many):
        run = rng.choice(names)
        at, mask = rng.randrange(len(texts[run])), rng.randrange(1, 128)
        changed = bytearray(texts[run])
        changed[at] ^= mask
        text = changed.decode("utf-8", "replace")
        found = said.digest(text) != told[run].digest
        yield Trial(True, found, found and bool(said.differences(told[run], text)))


def _bundle(store: Store, out: Path, rng: random.Random, many: int) -> Iterator[Trial]:
    """A byte of a file of the bundle, read by the verifier that lies in it."""
    for name, data in bundle(store, None, {}).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    files = [one for one in sorted(out.rglob("*")) if one.is_file()]
    for path, at, mask in _places(files, rng, many):
        words = io.StringIO()
        with _flipped(path, at, mask), contextlib.redirect_stdout(words):
            code = verifier.main(out)
        name = path.relative_to(out).as_posix()
        placed = any(word in words.getvalue() for word in (name, path.stem, "manifest", "cannot be read", "record"))
        yield Trial(True, code == 1, code == 1 and placed)


def _long(here: Path, many: int) -> None:
    """A ledger of so many records with a checkpoint for each thousand, verified from its first byte to its last."""
    key = bytes(range(32))
    _written(here, many, key)
    public_raw = notes.public(key)
    log = here / "audit-long-0.db"
    start, cpu = time.perf_counter(), time.process_time()
    found = verify(log, here, public_raw)
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    size = sum(one.stat().st_size for one in here.glob("audit-long-0*.db"))
    rows = [[f"{found.size:,}", f"{found.checkpoints:,}", f"{size / 1e6:,.0f}", f"{seconds:.2f}", f"{used:.2f}"]]
    table("A long ledger, verified", ["records", "checkpoints", "MB", "seconds", "processor s"], rows)
    if not found.holds or found.signed != many:
        raise SystemExit(f"it does not hold: {found.faults[:3]}")
    goal("seconds for a million records", seconds * MANY / many, 60.0, "s", digits=1)


def _written(here: Path, many: int, key: bytes) -> None:
    body = lines.packed({"run": "0001", "verdict": "pass", "digest": bytes(32), "who": "somebody", "reason": "r" * 200})
    log = Log(here, "long", "0", largest=2**40, synchronous="OFF")
    log.open()
    name, path = notes.origin(log.path), notes.beside(here, log.path)
    marks: list[str] = []
    for first in range(0, many, 1_000):
        log.write([(first, 0, "run", body, None)] * min(1_000, many - first))
        log.settle()
        marks.append(notes.Checkpoint(name, log.head[0], Tree(*log.head).root()).signed(key))
    log.close()
    path.write_text("".join(f"{note}\n" for note in marks), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
