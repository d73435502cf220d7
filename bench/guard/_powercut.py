"""A disk that loses power (SIMULATED): an SQLite file system in memory that forgets what was not synced.

After the cut each file has what its last sync covered and, of the writes since then, a random beginning or (every
second cut) a random selection, the last of them torn at a sector. Not modelled: a disk that lies about syncs.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import apsw

from temper.store.ledger.journal import Journal
from temper.store.ledger.record import decode
from temper.store.ledger.verify import records, verify

SECTOR = 512
KEY = bytes(32)
NAME = "audit-n1-0.db"
_numbers = itertools.count()


class Off(apsw.IOError):
    """There is no power."""


class Memory:
    """One file: what is in it, what is on the platter, and the writes in between."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.content, self.synced = bytearray(), b""
        self.since: list[tuple[int, bytes | None]] = []

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self.content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.work()
        _write(self.content, offset, bytes(data))
        self.since.append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self.disk.work()
        del self.content[size:]
        self.since.append((size, None))

    def xSync(self, flags: int) -> None:
        self.disk.work()
        self.synced, self.since = bytes(self.content), []

    def xFileSize(self) -> int:
        return len(self.content)

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xLock(self, level: int) -> None:
        """One connection in one process has the file."""

    def xUnlock(self, level: int) -> None:
        """Nobody waits for it."""

    def xClose(self) -> None:
        """The content stays."""

    def survives(self, rng: Random) -> bytes:
        """What is left after the cut."""
        left, many = bytearray(self.synced), len(self.since)
        kept = rng.randint(0, many)
        chosen = list(range(kept)) if rng.random() < 0.5 else sorted(rng.sample(range(many), kept))
        for at, (offset, data) in ((at, self.since[at]) for at in chosen):
            if data is None:
                del left[offset:]
            else:
                _write(left, offset, data[: rng.randrange(0, len(data) + 1, SECTOR)] if at == chosen[-1] else data)
        return bytes(left)


class Disk(apsw.VFS):
    """Files in memory, and power for so many writes and syncs."""

    def __init__(self, power: int) -> None:
        self.name, self.power, self.files = f"power{next(_numbers)}", power, dict[str, Memory]()
        super().__init__(self.name, "")

    def work(self) -> None:
        self.power -= 1
        if self.power < 0:
            raise Off("the power is off")

    def connect(self, path: Path) -> apsw.Connection:
        """A connection as the journal asks for. EXCLUSIVE because such a file system has no shared memory; checkpoints
        of the WAL come early, so that cuts meet them too."""
        if self.power < 0:
            raise Off("the power is off")
        found = apsw.Connection(str(path), vfs=self.name)
        found.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        found.execute("PRAGMA wal_autocheckpoint = 12").fetchall()
        return found

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        flags[1] = flags[0]
        return self.files.setdefault(path, Memory(self))

    def xAccess(self, path: str, flags: int) -> bool:
        return path in self.files

    def xDelete(self, path: str, sync: bool) -> None:
        self.work()
        self.files.pop(path, None)


def cut(folder: Path, seed: int, synchronous: str = "FULL", waiters: int = 8) -> tuple[int, int, str]:
    """(acknowledged, of these lost, what is wrong with the rest) of a journal whose disk lost power."""
    rng = Random(seed)
    disk = Disk(power=rng.randint(1, 700))
    told: dict[int, int] = {}
    (folder / "before").mkdir(parents=True)
    (folder / "after").mkdir()
    with suppress(Exception):
        journal = Journal.open(
            folder / "before", "n1", 0, key=KEY, wall=lambda: 1, connect=disk.connect, synchronous=synchronous
        )
        with suppress(Exception):
            asyncio.run(_load(journal, told, waiters))
        journal.close()
    if disk.power >= 0:
        raise RuntimeError("the load ended before the power did")
    for path, file in disk.files.items():
        (folder / "after" / Path(path).name).write_bytes(file.survives(rng))
    disk.unregister()
    return len(told), *_left(folder / "after", told)


def cuts(folder: Path, seeds: range, synchronous: str = "FULL") -> Iterator[tuple[int, int, str]]:
    """`cut` once per seed, each in a folder of its own."""
    for seed in seeds:
        yield cut(folder / str(seed), seed, synchronous)


async def _load(journal: Journal, told: dict[int, int], waiters: int) -> None:
    numbers = itertools.count()

    async def write() -> None:
        for n in numbers:
            told[await journal.append("decision", {"n": n, "more": "x" * (n % 700)})] = n
            journal.put("decision", {"n": -1})

    await asyncio.gather(*(write() for _ in range(waiters)))


def _left(folder: Path, told: dict[int, int]) -> tuple[int, str]:
    """How many of the acknowledged records are gone after opening what is left, and what else is wrong."""
    try:
        Journal.open(folder, "n1", 0, key=KEY, wall=lambda: 2).close()
        kept = {seq: decode(data).document()["body"].get("n") for seq, data in records(folder / NAME)}
        faults = verify(folder / NAME).faults
    except Exception as error:
        return len(told), f"{type(error).__name__}: {error}"
    return sum(kept.get(seq) != n for seq, n in told.items()), "; ".join(faults)


def _write(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data
