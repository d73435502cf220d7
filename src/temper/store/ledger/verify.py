"""Holds an audit ledger against itself and against its signed checkpoints; needs neither a gateway nor a secret."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from temper.core.errors import StoreError, TemperError
from temper.store.failure import told
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import record as lines
from temper.store.ledger import segment, tree
from temper.store.ledger.log import segments
from temper.store.ledger.record import Record

LIMITS = (
    "shows that nothing up to the last checkpoint was changed, as long as that checkpoint lies where whoever could "
    "change the log could not write; what came after it could have been rewritten by a holder of the signing key"
)
T = TypeVar("T")
_MOST = 20
_TRIES, _PAUSE = 5, 0.01
_DAMAGE = (TypeError, ValueError, OverflowError)
"""What a changed byte makes of a value: another type than its column has, text that is none, a size of the universe."""


@dataclass(slots=True)
class Verified:
    """What was found of one log. `faults` break it, `notices` are to be explained by somebody (a clock set back)."""

    name: str
    size: int = 0
    root: bytes = tree.EMPTY
    files: int = 0
    openings: int = 0
    signed: int = 0
    checkpoints: int = 0
    faults: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.faults


def logs(path: Path) -> list[Path]:
    """The logs in a folder, or the one file named. One whose next segment is just about to be begun is there too."""
    if path.is_file():
        return [path]
    files = path.glob("audit-*.db") if path.is_dir() else ()
    found = sorted({one.with_name(f"{one.name.partition('.')[0]}.db") for one in files})
    if not found:
        raise TemperError(f"there is no audit ledger in {path}", fix="give a folder with audit-*.db, or such a file")
    return found


def mark(log: Path) -> Path:
    """The file beside a log that tells how far its cases have been put before people."""
    return log.with_suffix(".relayed")


def handed_on(log: Path) -> int:
    """The seq before which the cases of a log have been put before people."""
    return int(mark(log).read_text(encoding="ascii")) if mark(log).exists() else 0


def records(path: Path, since: int = 0) -> Iterator[tuple[int, bytes]]:
    """(seq, bytes) of the records of a log from the seq `since` on, through all its segments.

    The log may be written meanwhile: when a segment is put aside under way, it is looked for again.
    """
    for _ in range(_TRIES):
        files = segments(path)
        try:
            for _, database in _files(path, since):
                if segment.start(database).tree.size > since:
                    break
                for seq, data in segment.rows(database, since):
                    yield seq, data
                    since = seq + 1
            else:
                if segments(path) == files:
                    return
        except (StoreError, sqlite3.OperationalError) as error:
            if segments(path) == files and not _closing(error):
                raise
            time.sleep(_PAUSE)
    raise StoreError(f"{path}: record {since} is missing", fix="run `temper ledger verify`")


def _closing(error: Exception) -> bool:
    """Whether a segment was just put aside: the log that SQLite kept beside it went between two looks of a reader."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY


def size(path: Path) -> int:
    """How many records a log has."""
    return _patiently(lambda: max((segment.size(database) for _, database in _files(path, 10**12)), default=0))


def _patiently(look: Callable[[], T]) -> T:
    """What is seen; looked again where a segment was put aside meanwhile."""
    for _ in range(_TRIES):
        try:
            return look()
        except sqlite3.OperationalError as error:
            if not _closing(error):
                raise
            time.sleep(_PAUSE)
    return look()


def verify(path: Path, checkpoints: Path | None = None, key: bytes | None = None) -> Verified:
    """Read a whole log: the chain, gaps and repeats of seq, clocks, and the root at every checkpoint.

    `checkpoints` is their folder, or the file of this log in it, and `key` the public key. Without checkpoints a log
    that was rewritten as a whole is as good as the one that was there before. The log may be written meanwhile.
    """
    for _ in range(_TRIES):
        files = segments(path)
        found = _patiently(lambda: _verified(path, checkpoints, key))
        if segments(path) == files:  # no segment was put aside while it was read
            break
    return found


def _verified(path: Path, checkpoints: Path | None, key: bytes | None) -> Verified:
    found = Verified(path.stem)
    reader = _Reader(found, _marks(found, path, checkpoints, key))
    try:
        for file, database in _files(path):
            if segment.foreign(database):
                _noted(found.notices, f"{file.name} has not the tables and triggers of an audit ledger")
            reader.open(file, segment.start(database))
            for seq, data in segment.rows(database):
                reader.read(seq, data)
    except (StoreError, sqlite3.Error, *_DAMAGE) as error:
        if _closing(error):
            raise
        what = error.message if isinstance(error, StoreError) else f"{path}: {error}"
        _fault(found, f"{what} (after record {reader.end.tree.size - 1})")
    reader.close()
    return found


def proof(path: Path, seq: int, size: int) -> tuple[bytes, list[bytes], bytes]:
    """(leaf, inclusion proof, root) of a record in the tree over the first `size` records."""
    leaves = _leaves(path, size)
    if not 0 <= seq < len(leaves) == size:
        raise TemperError(f"there is no record {seq} in the first {size:,}", fix=f"{path} has {len(leaves):,} records")
    return leaves[seq], tree.inclusion(leaves, seq), tree.root(leaves)


def growth(path: Path, first: int, second: int) -> list[bytes]:
    """The proof that the log of `second` records goes on from that of `first`."""
    leaves = _leaves(path, second)
    if not 0 < first <= second == len(leaves):
        raise TemperError(f"no proof from {first:,} to {second:,}", fix=f"{path} has {len(leaves):,} records")
    return tree.consistency(leaves, first)


def root(path: Path, size: int) -> bytes:
    """The root of the tree over the first `size` records of a log: two copies of it have the same."""
    if len(leaves := _leaves(path, size)) != size:
        raise TemperError(f"there are no {size:,} records in {path}", fix=f"it has {len(leaves):,}")
    return tree.root(leaves)


def _leaves(path: Path, size: int) -> Sequence[bytes]:
    return [tree.leaf(data) for seq, data in records(path) if seq < size]


def _files(path: Path, since: int = 0) -> Iterator[tuple[Path, segment.Database]]:
    """The segments of a log in order, each open while it is looked at, without those that end before `since`."""
    files = [file for file in segments(path) if file.exists()]
    firsts = [int(file.suffixes[0][1:]) for file in files if len(file.suffixes) > 1]
    for at, file in enumerate(files):
        if at + 1 < len(firsts) and firsts[at + 1] <= since:
            continue
        with told(file), closing(segment.reading(file)) as database:
            if segment.found(database, file):
                yield file, database
            elif file != path or not firsts:  # else the next segment is just being begun
                raise StoreError(f"{file} is empty", fix="restore it from a backup")


class _Reader:
    """Goes through a log once and writes down what is wrong with it."""

    def __init__(self, found: Verified, marks: dict[int, set[bytes]]) -> None:
        self.found, self.marks = found, marks
        self.end = segment.End()
        self.last: Record | None = None

    def open(self, file: Path, start: segment.End) -> None:
        """Look at where a segment says it starts: what is appended to it is hashed from there."""
        self.found.files += 1
        if (start.previous, start.tree.size, start.tree.peaks) != (
            self.end.previous,
            self.end.tree.size,
            self.end.tree.peaks,
        ):
            _fault(self.found, f"{file.name} does not start where what comes before it ends")

    def read(self, seq: int, data: bytes) -> None:
        """Look at one record."""
        self._sign()
        try:
            self._check(seq, lines.decode(data))
        except StoreError as error:
            _fault(self.found, f"record {seq}: {error.message}")
        self.end.previous = tree.leaf(data)
        self.end.tree.extend((self.end.previous,))

    def close(self) -> None:
        """Say what is there, and which checkpoints are left over."""
        self._sign()
        self.found.size, self.found.root = self.end.tree.size, self.end.tree.root()
        for size in sorted(self.marks):
            _fault(self.found, f"a checkpoint was signed for {size:,} records, and there are {self.found.size:,}")

    def _check(self, seq: int, one: Record) -> None:
        found, last, wanted = self.found, self.last, self.end.tree.size
        self.last = one
        if seq != wanted or one.seq != seq:
            _fault(found, f"record {wanted} is missing or out of place: number {one.seq} stands at {seq}")
        if one.previous != self.end.previous:
            _fault(found, f"record {seq} does not name the hash of the one before it: one of the two was changed")
        found.openings += one.kind == "opened"
        if last is None:
            return
        if one.wall < last.wall:
            _noted(found.notices, f"record {seq}: the clock was set back by {(last.wall - one.wall) / 1e9:.3f} s")
        if one.kind != "opened" and one.monotonic < last.monotonic:
            _fault(found, f"record {seq}: a clock that never goes back did: it was not written in this order")

    def _sign(self) -> None:
        roots = self.marks.pop(self.end.tree.size, None)
        if roots is None:
            return
        if roots == {self.end.tree.root()}:
            self.found.signed = self.end.tree.size
        else:
            _fault(self.found, f"the first {self.end.tree.size:,} records are not those that were signed")


def _marks(found: Verified, path: Path, checkpoints: Path | None, key: bytes | None) -> dict[int, set[bytes]]:
    """The roots that were signed, by size."""
    if checkpoints is None or key is None:
        return {}
    if checkpoints.is_dir():
        checkpoints = notes.beside(checkpoints, path)
    with told(checkpoints):
        good, bad = notes.read(checkpoints, key, notes.origin(path))
    if not good:
        _fault(found, f"{checkpoints} has no checkpoint of {notes.origin(path)} signed by this key")
    if bad:
        _fault(found, f"{bad} checkpoints are not signed by this key")
    found.checkpoints = len(good)
    marks: dict[int, set[bytes]] = {}
    for one in good:
        marks.setdefault(one.size, set()).add(one.root)
    return marks


def _fault(found: Verified, what: str) -> None:
    _noted(found.faults, what)


def _noted(told_already: list[str], what: str) -> None:
    """The first few say where to look; a log that was replaced would repeat itself for every record."""
    if len(told_already) < _MOST:
        told_already.append(what)
    elif len(told_already) == _MOST:
        told_already.append("and more of them")
