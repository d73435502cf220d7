"""A backup of a gateway while it runs: ledger, control store, models and settings, with the digest of each file."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from temper.core.errors import StoreError
from temper.store.backup import copy
from temper.store.backup.manifest import NAME, Kept, Manifest, place
from temper.store.database import Store
from temper.store.failure import told
from temper.store.ledger import segment
from temper.store.ledger.verify import logs, size

TABLES = ("audit", "person", "access_key", "review", "decision", "record", "policy")
"""What is counted of a control store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What there is to back up. `control` is None where the control store is a database server's, `store` where there
    are no runs; `files` may be folders; `secrets` are copied only where they are asked for.
    """

    config: Path
    control: Path | None
    audit: Path
    checkpoints: Path | None
    store: Path | None = None
    files: tuple[Path, ...] = ()
    secrets: tuple[Path, ...] = ()

    def name(self, path: Path) -> str:
        """What the backup calls this file."""
        return place(path, self.config.absolute().parent)


def make(sources: Sources, to: Path, now: float, version: str, *, secrets: bool = False) -> tuple[Path, Manifest]:
    """A new backup in the folder `to`, named by its time. It is there whole, or not at all.

    First the runs and the ledger of evidence that was told of them, while nobody tells it anything; then the gateway's
    checkpoints, the control store, the gateway's ledger, and what people were asked about: whatever one of them names
    is in those that come later. What was acknowledged before the start is in it.
    """
    target = to / f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H-%M-%SZ}"
    with copy.alone(to):
        if target.exists():
            raise StoreError(f"{target} exists", fix="a backup is never overwritten: wait a second")
        with copy.whole(target) as draft:
            found = _filled(sources, draft, now, version, secrets)
            copy.written(draft / NAME, found.text())
    return target, found


def rows(control: Path) -> dict[str, int]:
    """How much is in a control store, by table; one that an older Temper wrote has fewer tables."""
    with told(control), closing(segment.reading(control)) as database:
        there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        every = (table for table in TABLES if table in there)
        return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in every}


def _filled(sources: Sources, draft: Path, now: float, version: str, secrets: bool) -> Manifest:
    files: dict[str, Kept] = {}
    if sources.store is not None:
        _evidence(sources, draft, files, Store(sources.store))
    _files(sources, draft, files, sources.checkpoints)
    if sources.control is not None:
        _database(sources, draft, files, sources.control)
    ledgers = logs(sources.audit) if sources.store is None or sources.audit.exists() else []
    for log in ledgers:
        files |= copy.log(log, draft, sources.name)
    _database(sources, draft, files, sources.audit / "personal.db")
    _files(sources, draft, files, *sources.files, *(sources.secrets if secrets else ()))
    return Manifest(
        made=now,
        version=version,
        config=sources.name(sources.config),
        control="" if sources.control is None else sources.name(sources.control),
        audit=sources.name(sources.audit),
        checkpoints="" if sources.checkpoints is None else sources.name(sources.checkpoints),
        secrets=secrets,
        files=files,
        logs={log.stem: size(draft / sources.name(log)) for log in ledgers},
        rows={} if sources.control is None else rows(draft / sources.name(sources.control)),
        store="" if sources.store is None else sources.name(sources.store),
        runs=0 if sources.store is None else len(Store(draft / sources.name(sources.store)).outlines()),
    )


def _evidence(sources: Sources, draft: Path, files: dict[str, Kept], store: Store) -> None:
    """Runs before the ledger that names them, arrays after the tasks that name them. Notes of the ledger's pages are
    left out: they are of the file, and this is a copy.
    """
    evidence = store.evidence
    with evidence.still() if evidence.path.exists() else nullcontext():
        _database(sources, draft, files, store.path)
        if evidence.path.exists():
            files |= copy.log(evidence.path, draft, sources.name)
            found = (evidence.checkpoints, evidence.public, evidence.mark)
            _files(sources, draft, files, *found)
    _files(sources, draft, files, store.blobs.folder)


def _database(sources: Sources, draft: Path, files: dict[str, Kept], path: Path) -> None:
    if path.exists():
        name = sources.name(path)
        files[name] = copy.database(path, draft / name)


def _files(sources: Sources, draft: Path, files: dict[str, Kept], *paths: Path | None) -> None:
    for path in paths:
        every = [] if path is None else sorted(path.rglob("*")) if path.is_dir() else [path]
        for one in every:
            if one.is_file() and (name := sources.name(one)) not in files:
                files[name] = copy.file(one, draft / name)
