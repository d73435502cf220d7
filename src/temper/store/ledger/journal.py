"""The audit journal of one worker: many requests wait together for one write that survives a power cut."""

from __future__ import annotations

import asyncio
import hmac
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any

import msgspec

from temper.core.errors import StoreError
from temper.store.failure import told
from temper.store.ledger import record as lines
from temper.store.ledger import segment
from temper.store.ledger.checkpoint import Checkpointer, beside, last_mark, origin
from temper.store.ledger.log import Entry, Log

RETRY = 0.1
"""Seconds between tries to write records nobody waits for, once the disk has failed."""
LARGEST_BATCH = 4_096
LARGEST_BODY = 2**20
UNSETTLED = 1_000
"""Records that may be on the disk before their turn in the tree comes: it waits for a moment when nobody else does."""
_BUSY, _NAPPING, _IDLE = range(3)
_ON_ITS_OWN = "free space or mend the disk: the journal goes on by itself"


class Journal:
    """An append-only, hash-chained file with one writer thread. `await append` returns once the record is on the disk;
    all that wait are written by one commit (group commit). `put` does not wait: its records are written within
    `window` seconds and counted in `at_risk` until then.

    When the disk fails, those who wait are told at once; what was put is kept and written when there is room again. If
    nothing was, a record of its own ("interrupted": how many were refused) is tried instead, so that `fault` ends when
    the disk is well and not when somebody asks next.
    A queue that is full refuses. All calls come from the thread of the event loop.

    >>> import tempfile
    >>> async def story(folder):
    ...     with Journal.open(folder, "node1", "0", key=bytes(32), wall=lambda: 0) as journal:
    ...         return await journal.append("review", {"case": 7}), journal.at_risk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     asyncio.run(story(Path(folder)))  # seq 0 says that the journal was opened
    (1, 0)
    """

    def __init__(self, log: Log, *, key: bytes, wall: Callable[[], int], window: float, limit: int) -> None:
        self.fault: StoreError | None = None
        self._log, self._wall, self._window, self._limit = log, wall, window, limit
        self._secret = hmac.digest(key, b"temper ledger: commitments", "sha256")
        self._queue: deque[Entry] = deque()
        self._late: list[Entry] = []
        self._gate, self._sleep, self._urgent, self._closing = Lock(), _BUSY, False, False
        self._gate.acquire()
        self._put = self._written = self._tried = self._noted = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._checkpointer: Checkpointer | None = None
        self._thread = Thread(target=self._run, name=log.path.stem, daemon=True)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        node: str,
        worker: str | int,
        *,
        key: bytes,
        wall: Callable[[], int],
        checkpoints: str | Path | None = None,
        window: float = 0.003,
        limit: int = 10_000,
        largest: int = 64 * 2**20,
        connect: Callable[[Path], segment.Database] = segment.connected,
        synchronous: str = "FULL",
    ) -> Journal:
        """The journal of this worker, after its records have been read and found to follow one another.

        `key` is the secret of 32 bytes that signs (Ed25519), `wall` gives nanoseconds since 1970, `checkpoints` is a
        folder on another disk. Raises `StoreError` when another process has it, or its end is not what was signed.
        """
        folder, worker = Path(folder), str(worker)
        _checked(node, worker, key)
        path = folder / f"audit-{node}-{worker}.db"
        with told(path):
            log = Log(folder, node, worker, largest=largest, connect=connect, synchronous=synchronous)
            try:
                journal = cls(log, key=key, wall=wall, window=window, limit=limit)
                journal._begin(key, None if checkpoints is None else Path(checkpoints))
            except BaseException:
                log.close()
                raise
        return journal

    @property
    def path(self) -> Path:
        """Where it is written now."""
        return self._log.path

    @property
    def seq(self) -> int:
        """The number of the next record, which is how many there are."""
        return self._log.seq

    @property
    def at_risk(self) -> int:
        """Records that were put and are not yet on the disk: what a power cut would lose now."""
        return self._put - self._written

    @property
    def signing(self) -> bool:
        """Whether there is a place for checkpoints."""
        return self._checkpointer is not None

    @property
    def unsigned(self) -> int:
        """Records that no checkpoint covers yet."""
        return self.seq - (self._checkpointer.size if self._checkpointer else 0)

    @property
    def unsigned_because(self) -> StoreError | None:
        """Why checkpoints cannot be written; None while they can."""
        return self._checkpointer.fault if self._checkpointer else None

    async def append(self, kind: str, body: Mapping[str, Any] | msgspec.Struct) -> int:
        """Keep a record; returns its seq once it is on the disk. A cancelled wait does not take the record back."""
        waiting = asyncio.get_running_loop().create_future()
        self.submit(kind, body, waiting)
        seq: int = await waiting
        return seq

    def submit(self, kind: str, body: Mapping[str, Any] | msgspec.Struct, waiting: asyncio.Future[int]) -> None:
        """Keep a record; `waiting` is done with its seq once it is on the disk, or fails with `StoreError`."""
        self._loop = waiting.get_loop()
        self._enqueue(kind, body, waiting)
        self._urgent = True
        if self._sleep:
            self._wake()

    def put(self, kind: str, body: Mapping[str, Any] | msgspec.Struct) -> None:
        """Keep a record within the window, without waiting."""
        self._enqueue(kind, body, None)
        self._put += 1
        if self._sleep == _IDLE:
            self._wake()

    def commitment(self, data: bytes) -> bytes:
        """Binds the journal to an input without keeping it; only the holder of the key can try whether it was this."""
        return lines.commitment(self._secret, data)

    def close(self) -> None:
        """Write what is left, sign it, and let others write. Raises `StoreError` if some of it could not be kept."""
        if self._closing:
            return
        self._closing = True
        self._wake()
        self._thread.join()
        if self._checkpointer:
            self._checkpointer.close()
        self._log.close()
        if self.at_risk:
            raise StoreError(f"{self._log.path}: {self.at_risk} records could not be written", fix=_ON_ITS_OWN)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _begin(self, key: bytes, folder: Path | None) -> None:
        name, far = origin(self._log.path), folder and beside(folder, self._log.path)
        self._log.open(last_mark(far, name, key) if far else (0, b""))
        opened = lines.packed({"process": os.getpid()})
        self._log.write([(self._wall(), time.monotonic_ns(), "opened", opened, None)])
        self._log.settle()
        if far:
            self._checkpointer = Checkpointer(far, name, key, lambda: self._log.head)
        self._thread.start()

    def _enqueue(self, kind: str, body: Mapping[str, Any] | msgspec.Struct, waiter: asyncio.Future[int] | None) -> None:
        if self._closing:
            raise self.fault or StoreError(f"{self._log.path} is closed", fix="open it again")
        if len(self._queue) + len(self._late) >= self._limit:
            raise self.fault or StoreError(
                f"{self._log.path}: {self._limit:,} records wait for the disk", fix="send less, or use a faster disk"
            )
        packed = lines.packed(body)
        if len(packed) > LARGEST_BODY:
            raise StoreError(
                f"a record of {len(packed):,} bytes", fix=f"keep to {LARGEST_BODY:,}: refuse such a request"
            )
        self._queue.append((self._wall(), time.monotonic_ns(), kind, packed, waiter))

    def _run(self) -> None:
        try:
            self._work()
        except Exception as crash:  # a mistake of ours: nobody may wait for a writer that is gone
            self._closing = True
            self._failed([*self._queue], StoreError(f"{self._log.path}: its writer ended: {crash!r}"))

    def _work(self) -> None:
        while self._wait():
            batch = [*self._late, *(self._queue.popleft() for _ in range(min(len(self._queue), LARGEST_BATCH)))]
            if batch:
                self._keep(batch)
            else:
                self._settle()
        if self._late:  # once more before it is too late
            self._keep([*self._late])
            self._settle()

    def _keep(self, batch: list[Entry]) -> None:
        try:
            with told(self._log.path):
                if self._log.ready():  # the failed transaction was written after all, with the late that were tried
                    self._count(self._tried)
                    del batch[: self._tried], self._late[: self._tried]
                self._tried = sum(entry[4] is None for entry in batch)
                first = self._log.write(batch) if batch else self._log.seq
        except Exception as error:
            self._failed(batch, error)
        else:
            self._stored(batch, first)

    def _wake(self) -> None:
        """Let the writer through the gate; it is opened at most once per passage."""
        self._sleep = _BUSY
        with suppress(RuntimeError):  # it is open already
            self._gate.release()

    def _wait(self) -> bool:
        """Sleep until there is something to write; False when there is nothing more to come."""
        self._sleep = _IDLE
        if not self._queue and not self._closing:
            self._gate.acquire(timeout=RETRY if self._late or self._log.unsettled else -1)
        self._sleep = _NAPPING
        if self._queue and not self._urgent and not self._closing:
            self._gate.acquire(timeout=RETRY if self._late else self._window)
        self._sleep = _BUSY
        self._urgent = False
        self._gate.acquire(blocking=False)
        return not self._closing or bool(self._queue or self._log.unsettled)

    def _stored(self, batch: Sequence[Entry], first: int) -> None:
        self.fault, self._late = None, []
        waiting = [(entry[4], at) for at, entry in enumerate(batch, start=first) if entry[4] is not None]
        self._count(len(batch) - len(waiting))
        self._release(waiting)
        if self._log.unsettled >= UNSETTLED:
            self._settle()

    def _count(self, many: int) -> None:
        """So many that nobody waits for are on the disk; the journal's own was not put by anybody."""
        if many:
            self._written += many - self._noted
            self._noted = 0

    def _settle(self) -> None:
        try:
            self._log.settle()
        except Exception as error:  # a new segment could not be begun: the next write tries again
            self.fault = _explained(self._log.path, error)

    def _failed(self, batch: Sequence[Entry], error: Exception) -> None:
        self.fault = fault = _explained(self._log.path, error)
        self._late = [entry for entry in batch if entry[4] is None]
        if batch and not self._late:  # with the time of the last: what has come meanwhile is written after it
            body = lines.packed({"refused": len(batch)})
            self._late, self._noted = [(batch[-1][0], batch[-1][1], "interrupted", body, None)], 1
        self._release([(entry[4], StoreError(fault.message, fix=fault.fix)) for entry in batch if entry[4] is not None])

    def _release(self, waiting: Sequence[tuple[Any, int | StoreError]]) -> None:
        """Wake all who wait by one call into the event loop."""
        if waiting and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                self._loop.call_soon_threadsafe(_tell, waiting)


def _tell(waiting: Sequence[tuple[Any, int | StoreError]]) -> None:
    for future, outcome in waiting:
        if future.done():
            continue
        if type(outcome) is int:
            future.set_result(outcome)
        else:
            future.set_exception(outcome)


def _explained(path: Path, error: Exception) -> StoreError:
    what = error.message if isinstance(error, StoreError) else f"{path}: {error}"
    return StoreError(what, fix=_ON_ITS_OWN)


def _checked(node: str, worker: str, key: bytes) -> None:
    for name in (node, worker):
        if not segment.NAME.fullmatch(name):
            raise StoreError(f"{name!r} is no name of a node or worker", fix="use up to 64 letters, digits, - or _")
    if len(key) != 32:
        raise StoreError(f"a key of {len(key)} bytes", fix="use the 32 bytes of an Ed25519 key")
