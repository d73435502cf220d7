"""The files of one worker's audit ledger, and the one thread that writes them."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from temper.core.errors import StoreError
from temper.store.ledger import record as lines
from temper.store.ledger import segment
from temper.store.ledger.segment import Database, End
from temper.store.ledger.tree import Tree, leaf

DAY = 86_400 * 10**9
Entry = tuple[int, int, str, bytes, Any]
"""Wall clock, monotonic clock, kind, packed body, and who waits for it."""
Mark = tuple[int, bytes]
"""The size of a log and its root at that size, as a checkpoint has them."""


class Log:
    """Records behind one another in `audit-NODE-WORKER.db`; full segments lie beside it, read-only.

    One process holds a log. What `write` returned from is on the disk. After a failure the file is opened again by
    `ready`, and what the failed transaction left behind all the same is taken over.
    """

    def __init__(
        self,
        folder: Path,
        node: str,
        worker: str,
        *,
        largest: int,
        connect: Callable[[Path], Database] = segment.connected,
        synchronous: str = "FULL",
    ) -> None:
        self.node, self.worker = node, worker
        self.path = folder / f"audit-{node}-{worker}.db"
        self._largest, self._connect, self._synchronous = largest, connect, synchronous
        self._lock = _locked(self.path)
        self._database: Database | None = None
        self._leaves: list[bytes] = []
        self._size, self._day, self._last, self._first = 0, -1, -1, 0
        self.seq, self._previous, self._tree = 0, lines.START, Tree()
        self.head: tuple[int, tuple[bytes, ...]] = (0, ())

    def open(self, mark: Mark = (0, b"")) -> None:
        """Find the end of the log, and that it still agrees with its last checkpoint."""
        size, root = mark
        with self._connected() as database:
            wanted = size >= segment.start(database).tree.size and size > 0
            for end in segment.ends(database, self.path):
                if wanted and end.tree.size == size:
                    wanted = end.tree.root() != root
            if wanted:
                raise StoreError(
                    f"{self.path} is not the log that its last checkpoint of {size:,} records was signed for",
                    fix="run `temper ledger verify`; move the log and its checkpoints away to begin a new one",
                )
            self._go_on(database, end)

    def ready(self) -> int:
        """Open the file again after a failure. Gives the records that the failed transaction wrote nevertheless."""
        if self._database is not None:
            return 0
        self._tree.extend(self._leaves)
        self._leaves.clear()
        before, end = self.seq, End(self._previous, self._tree)
        with self._connected(end) as database:
            segment.settle(database)
            for seq, data in segment.rows(database, before):
                if seq != end.tree.size:
                    raise StoreError(f"{self.path} was written by somebody else", fix="run `temper ledger verify`")
                end.previous = leaf(data)
                end.tree.extend((end.previous,))
            self._go_on(database, end)
        return self.seq - before

    def write(self, entries: Sequence[Entry]) -> int:
        """Put entries behind one another, in one transaction. Gives the seq of the first."""
        if self._database is None:
            raise StoreError(f"{self.path} is not open", fix="open it again")
        first, previous, records, leaves = self.seq, self._previous, [], []
        encode, node, worker = lines.encode, self.node, self.worker
        for seq, (wall, monotonic, kind, body, _) in enumerate(entries, start=first):
            data = encode(seq, previous, wall, monotonic, node, worker, kind, body)
            previous = leaf(data)
            records.append(data)
            leaves.append(previous)
        try:
            segment.append(self._database, first, records)
        except BaseException:
            self._let_go()
            raise
        self.seq, self._previous = first + len(records), previous
        self._leaves += leaves
        self._size += sum(map(len, records))
        self._day = entries[0][0] // DAY if self._day < 0 else self._day
        self._last = entries[-1][0] // DAY
        return first

    @property
    def unsettled(self) -> int:
        """Records that are on the disk and not yet in the tree."""
        return len(self._leaves)

    def settle(self) -> None:
        """What can wait until the waiters are gone: the tree, and a new segment if this one is full or of yesterday."""
        self._tree.extend(self._leaves)
        self._leaves.clear()
        self.head = (self._tree.size, tuple(self._tree.peaks))
        if self._database is not None and (self._size >= self._largest or self._last > self._day >= 0):
            self._rotate(self._database)

    def lay_down(self) -> bool:
        """Put everything into the file itself; False where that fails, or a reader is in the way."""
        with suppress(Exception):
            if self._database is not None:
                segment.settle(self._database)
            return True
        return False

    def close(self) -> None:
        """Put everything into the file itself and let others write."""
        self.lay_down()
        self._let_go()
        os.close(self._lock)

    @contextmanager
    def _connected(self, end: End | None = None) -> Iterator[Database]:
        """A connection to the segment, made if it is not there; closed again when what follows fails."""
        database = self._connect(self.path)
        try:
            segment.prepare(database, self._synchronous)
            if not segment.found(database, self.path):
                segment.begin(database, end or self._before())
            yield database
        except BaseException:
            database.close()
            raise

    def _before(self) -> End:
        """Where the segments before this one end."""
        if not (older := segments(self.path)[:-1]):
            return End()
        with closing(segment.reading(older[-1])) as database:
            return deque(segment.ends(database, older[-1]), maxlen=1).pop()

    def _go_on(self, database: Database, end: End) -> None:
        self._database = database
        self.seq, self._previous, self._tree = end.tree.size, end.previous, end.tree
        self._first = segment.start(database).tree.size
        self._leaves.clear()
        self.head = (self._tree.size, tuple(self._tree.peaks))
        self._size, first = segment.extent(database)
        self._day = self._last = -1 if first is None else lines.decode(first).wall // DAY

    def _rotate(self, database: Database) -> None:
        """Close the segment, read-only under the seq of its first record, and begin the next; later if it is read."""
        if not segment.seal(database):
            segment.prepare(database, self._synchronous)
            return
        self._let_go()
        full = self.path.with_name(f"{self.path.stem}.{self._first:012d}.db")
        self.path.rename(full)
        full.chmod(0o400)
        _sync(self.path.parent)
        self.ready()

    def _let_go(self) -> None:
        if self._database is not None:
            with suppress(Exception):
                self._database.close()
            self._database = None


def segments(path: Path) -> list[Path]:
    """The files of a log in order, the one that is written last."""
    older = path.parent.glob(f"{path.stem}.{'[0-9]' * 12}.db")
    return [*sorted(older), path]


def _locked(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StoreError(
            f"{path} is being written by another process", fix="give every worker a name of its own"
        ) from None
    return lock


def _sync(folder: Path) -> None:
    """A renamed file is under its new name after a power cut only if the folder was synced."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
