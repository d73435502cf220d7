"""From a backup to a folder that a gateway can start in, held against its digests and its ledger's chain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from temper.core.errors import StoreError, TemperError
from temper.store.backup import copy
from temper.store.backup.make import rows
from temper.store.backup.manifest import NAME, Kept, Manifest, newest, read, restored
from temper.store.control import Control
from temper.store.database import Store
from temper.store.evidence.held import hold
from temper.store.failure import told
from temper.store.ledger import checkpoint, segment
from temper.store.ledger.verify import Verified, logs, verify

PUBLIC = "ledger.pub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A backup that was restored `to` a folder; `faults` are what does not hold there, empty where all does."""

    backup: Path
    to: Path
    manifest: Manifest
    ledger: tuple[Verified, ...]
    faults: tuple[str, ...]

    def place(self, name: str) -> Path:
        """Where a file of the backup lies now."""
        return self.to / restored(name)

    @property
    def outside(self) -> list[str]:
        """Files of absolute paths, which lie below `elsewhere` until somebody moves them."""
        return sorted(name for name in self.manifest.files if restored(name) == name)


def restore(place: Path, to: Path) -> Restored:
    """Restore the backup at this place (or the newest in it) to a folder that is empty or not there yet.

    Nothing is there before every file has the digest it had. Then the ledger is read whole, against its checkpoints
    too, and so is the audit of the control store. Raises `StoreError` for a backup that was changed.
    """
    backup = newest(place)
    manifest = read(backup)
    to = to.absolute()
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise StoreError(f"{to} is not empty", fix="restore to a new folder: what is there is never overwritten")
    _nothing_else(backup, manifest)
    with copy.alone(to.parent), copy.whole(to) as draft:
        for name, kept in manifest.files.items():
            _copied(backup / name, draft / restored(name), kept)
    return _held(backup, to, manifest)


def _nothing_else(backup: Path, manifest: Manifest) -> None:
    """A backup has the files that its manifest names and no others."""
    found = {one.relative_to(backup).as_posix() for one in backup.rglob("*") if one.is_symlink() or not one.is_dir()}
    if missing := sorted(set(manifest.files) - found):
        raise StoreError(f"{backup} lacks {missing[0]}", fix="use another backup")
    if strange := sorted(found - {*manifest.files, NAME}):
        raise StoreError(f"{backup} has {strange[0]}, which its manifest does not name", fix="use another backup")
    if links := sorted(name for name in found if (backup / name).is_symlink()):
        raise StoreError(f"{backup} has the link {links[0]}, and a backup has none", fix="use another backup")


def _copied(source: Path, target: Path, wanted: Kept) -> None:
    if copy.file(source, target) != wanted:
        raise StoreError(f"{source} is not what was backed up", fix="use another backup: this one was changed")


def _held(backup: Path, to: Path, manifest: Manifest) -> Restored:
    audit = to / restored(manifest.audit)
    marks = to / restored(manifest.checkpoints) if manifest.checkpoints else None
    key = checkpoint.public_key(audit / PUBLIC) if (audit / PUBLIC).exists() else None
    ledger = tuple(verify(log, _marks(marks, log), key) for log in (logs(audit) if manifest.logs else ()))
    faults = [f"{one.name}: {fault}" for one in ledger for fault in one.faults]
    if {one.name: one.size for one in ledger} != dict(manifest.logs):
        faults.append("the ledger has not as many records as were backed up")
    if manifest.control:
        faults += _of_control(to / restored(manifest.control), manifest)
    if manifest.store:
        faults += _of_runs(to, manifest)
    return Restored(backup=backup, to=to, manifest=manifest, ledger=ledger, faults=tuple(faults))


def _marks(folder: Path | None, log: Path) -> Path | None:
    """The checkpoints of a log, if any were signed before it was backed up."""
    found = None if folder is None else checkpoint.beside(folder, log)
    return found if found is not None and found.exists() and found.stat().st_size else None


def _of_runs(to: Path, manifest: Manifest) -> Iterator[str]:
    """Runs and what people did, held against the ledger that was told of them."""
    path = to / restored(manifest.store)
    yield from (f"the run store is damaged: {one}" for one in _damage(path))
    store = Store.open(path)
    if len(store.outlines()) != manifest.runs:
        yield "the run store has not as many runs as were backed up"
    control = Control.open(str(to / restored(manifest.control))) if manifest.control else None
    try:
        if store.evidence.path.exists():
            yield from hold(store, control).faults
    except TemperError as refused:
        yield refused.message
    finally:
        if control is not None:
            control.close()


def _damage(path: Path) -> list[str]:
    """What SQLite says is wrong with a file; empty where nothing is."""
    with told(path), closing(segment.reading(path)) as database:
        return [row[0] for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]


def _of_control(path: Path, manifest: Manifest) -> Iterator[str]:
    if damage := _damage(path):
        yield f"the control store is damaged: {damage[0]}"
        return
    if rows(path) != dict(manifest.rows):
        yield "the control store has not as many rows as were backed up"
    control = Control.open(str(path))
    try:
        yield from control.audit.verify()
        control.roster.clear()
    finally:
        control.close()
