"""The ledger of a system's evidence: the audit ledger of gateways, opened for a moment by whoever has something to say.

Every opening ends with a checkpoint, signed by a key that is made with the ledger. It lies in the same folder, so it
shows mistakes and tampering by whoever cannot read the key; approvals carry the ledger's root under keys that people
hold, and `temper ledger checkpoint` signs to another place.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from temper.core.errors import StoreError, Tampered
from temper.store.evidence.pages import beside, noted
from temper.store.evidence.said import Change
from temper.store.evidence.shared import Shared
from temper.store.failure import told
from temper.store.ledger import checkpoint as notes
from temper.store.ledger.log import Log
from temper.store.ledger.record import Record, decode, packed
from temper.store.ledger.tree import Tree
from temper.store.ledger.verify import records, size
from temper.targets.signature import new_key

NODE, WORKER = "evidence", "0"
LARGEST = 64 * 2**20
Said = tuple[str, msgspec.Struct]
"""Kind and body of a record."""
_KEY = "ledger"
_MARK = "FAULTS"
_WAIT, _PAUSE = 30.0, 0.02
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Evidence:
    """The ledger in a folder. Any number of processes may tell it something: they wait for each other. Where it is
    `shared` with other machines the folder has this one's copy, which follows before anything is said.
    """

    folder: Path
    shared: Shared | None = None

    @property
    def path(self) -> Path:
        """The log that is written."""
        return self.folder / f"audit-{NODE}-{WORKER}.db"

    @property
    def checkpoints(self) -> Path:
        """Where its checkpoints are."""
        return notes.beside(self.folder, self.path)

    @property
    def public(self) -> Path:
        """The key that its checkpoints are verified with."""
        return self.folder / f"{_KEY}.pub"

    def tell(self, entries: Sequence[Said], wall: int) -> int:
        """Put records at the end and sign them; gives how many there are now. `wall` is in nanoseconds since 1970."""
        with self.writing() as log:
            return self.put(log, entries, wall)

    def put(self, log: Log, entries: Sequence[Said], wall: int) -> int:
        """`tell` in a log that is open already, after what was read there decided what to say."""
        if self.shared is not None:
            self.shared.put(entries, wall)
            self._follow(log, self.shared)
        elif entries:
            log.write([(wall, 0, kind, packed(body), None) for kind, body in entries])
            log.settle()
            self._sign(log)
        return log.seq

    def put_changes(self, log: Log, changes: Sequence[Change], wall: int) -> int:
        """What people did, in a log that is open, where it is shared; how many of the changes were new to it."""
        if self.shared is None:
            raise StoreError(f"the ledger in {self.folder} is shared with nobody", fix="put them as records")
        many = self.shared.put_changes(changes, wall)
        self._follow(log, self.shared)
        return many

    @contextmanager
    def writing(self) -> Iterator[Log]:
        """The log, for this process alone; waits for others. Refused once something was found changed."""
        self.refuse()
        with told(self.path):
            log = self._opened()
            try:
                key = self._key(new=not self.path.exists())
                log.open(notes.last_mark(self.checkpoints, notes.origin(self.path), key))
                if self.shared is not None:
                    self._follow(log, self.shared)
                yield log
            finally:
                self._left(log)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nobody tells it anything while this lasts; one that was found changed may be read all the same."""
        with told(self.path):
            log = self._opened()
            try:
                yield
            finally:
                log.close()

    def _left(self, log: Log) -> None:
        """Note the pages while the log is still held: whoever is next must not be taken for somebody else."""
        if log.lay_down() and self.path.exists():
            noted(self.path)
            noted(self.public)
        else:
            beside(self.path).unlink(missing_ok=True)
        log.close()

    @property
    def empty(self) -> bool:
        """Whether nothing was ever told: there is no log, or one that was opened and not written."""
        return not self.path.exists() or not (self.records() or self.head())

    def caught_up(self) -> None:
        """Follow what other machines told, where it is shared."""
        if self.shared is not None:
            with self.writing():
                pass

    def records(self) -> list[tuple[bytes, Record]]:
        """Every record with its bytes; none where nothing was told yet."""
        return [(data, decode(data)) for _, data in records(self.path)] if self.path.exists() else []

    def newest(self, kind: str) -> Record | None:
        """The last record of this kind, looked for from the end; None where there is none."""
        end = size(self.path) if self.path.exists() else 0
        while end:
            start = max(0, end - _PAGE)
            page = [decode(data) for _, data in islice(records(self.path, start), end - start)]
            if (found := next((one for one in reversed(page) if one.kind == kind), None)) is not None:
                return found
            end = start
        return None

    def naming(self, text: str) -> list[Record]:
        """Every record in which this stands: few of many, and the others are not taken apart."""
        wanted = text.encode()
        found = records(self.path) if self.path.exists() else ()
        return [decode(data) for _, data in found if wanted in data]

    def head(self) -> notes.Checkpoint | None:
        """The last checkpoint; None where nothing was told yet."""
        if not self.path.exists():
            return None
        good, _ = notes.read(self.checkpoints, notes.public_key(self.public), notes.origin(self.path))
        return good[-1] if good else None

    def faults(self) -> list[str]:
        """What was found changed, for good; empty while nothing was."""
        return self.mark.read_text(encoding="utf-8").splitlines() if self.mark.exists() else []

    def condemn(self, faults: Sequence[str]) -> None:
        """From here on nothing is written: what was found stays as it was found."""
        if self.folder.is_dir() and not self.faults():
            self.mark.write_text("\n".join(faults) + "\n", encoding="utf-8")

    def refuse(self) -> None:
        """Raises `Tampered` once something was found changed."""
        if found := self.faults():
            raise Tampered(
                f"the evidence in {self.folder.parent} was changed behind Temper's back, and is read-only: {found[0]}",
                fix="restore it from a backup; or keep it aside for whoever looks into it, and begin a new folder",
            )

    @property
    def secret(self) -> Path:
        """The key that signs its checkpoints."""
        return self.folder / f"{_KEY}.key"

    @property
    def mark(self) -> Path:
        """Where what was found changed is written."""
        return self.folder / _MARK

    def _opened(self) -> Log:
        """The log, once nobody else writes it."""
        for _ in range(round(_WAIT / _PAUSE)):
            try:
                return Log(self.folder, NODE, WORKER, largest=LARGEST)
            except StoreError:
                time.sleep(_PAUSE)
        return Log(self.folder, NODE, WORKER, largest=LARGEST)

    def _key(self, new: bool) -> bytes:
        """The secret that signs. A ledger that is there keeps its key: another one would vouch for anything."""
        path = self.secret
        if new and not path.exists():
            new_key(self.folder / _KEY)
        if not path.exists():
            raise StoreError(f"{path} is gone, and with it who vouches for the ledger", fix="put it back from a backup")
        return notes.private_key(path)

    def _follow(self, log: Log, shared: Shared) -> None:
        """What the shared ledger has and this copy has not, under a checkpoint of this machine."""
        before = log.seq
        if (size := shared.size()) < before:
            raise Tampered(
                f"the shared ledger has {size:,} entries, and this machine followed {before:,}",
                fix="restore the database from a backup; or keep it aside for whoever looks into it",
            )
        for page in shared.since(before):
            log.write([(wall, 0, kind, body, None) for wall, kind, body in page])
            log.settle()
        if log.seq > before:
            self._sign(log)

    def _sign(self, log: Log) -> None:
        size, peaks = log.head
        origin, key = notes.origin(self.path), self._key(new=False)
        notes.add(self.checkpoints, notes.Checkpoint(origin, size, Tree(size, peaks).root()).signed(key))
