"""What a backup says of itself: every file with its digest, and how much was in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from temper.core.errors import StoreError
from temper.store.codec import from_json, to_json, unwrap, wrap
from temper.store.failure import told

NAME = "manifest.json"
FORMAT = "temper.backup"
SYSTEM = "system"
"""What lay below the folder of temper.yaml; everything else lies below ELSEWHERE, under its whole path."""
ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file of a backup."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A backup begun at `made` (seconds since 1970). `files` are named as in the backup, and so are the file of the
    control store ("" where it is a database server's), the folder of the ledger and that of its checkpoints ("" where
    there are none). `logs` counts the records of each log, `rows` those of the control store. `store` is the
    file of the run store ("" where there is none), with its evidence beside it, `runs` how many are in it.
    """

    made: float
    version: str
    config: str
    control: str
    audit: str
    checkpoints: str
    secrets: bool
    files: Mapping[str, Kept]
    logs: Mapping[str, int]
    rows: Mapping[str, int] = field(default_factory=dict)
    store: str = ""
    runs: int = 0

    def text(self) -> str:
        """The document, as it lies in the backup."""
        return to_json(wrap(FORMAT, self))

    @property
    def digest(self) -> str:
        """The SHA-256 of the document: kept elsewhere, it vouches for all that the document names."""
        return hashlib.sha256(self.text().encode()).hexdigest()


def place(path: Path, base: Path) -> str:
    """What a backup calls a file of a system whose temper.yaml lies in `base`.

    >>> place(Path("/srv/fraud/model.json"), Path("/srv/fraud")), place(Path("/var/lib/control.db"), Path("/srv/fraud"))
    ('system/model.json', 'elsewhere/var/lib/control.db')
    """
    path = Path(path).absolute()
    if path.is_relative_to(base):
        return str(PurePosixPath(SYSTEM, *path.relative_to(base).parts))
    return str(PurePosixPath(ELSEWHERE, *path.parts[1:]))


def restored(name: str) -> str:
    """Where a file of a backup goes, below the folder it is restored to.

    >>> restored("system/model.json"), restored("elsewhere/var/lib/control.db")
    ('model.json', 'elsewhere/var/lib/control.db')
    """
    return name.removeprefix(f"{SYSTEM}/")


def read(backup: Path) -> Manifest:
    """The manifest of a backup. Raises `StoreError` where there is none, or it names places outside the backup."""
    path = backup / NAME
    with told(path):
        text = path.read_text(encoding="utf-8")
    found = unwrap(FORMAT, Manifest, from_json(text))
    places = (found.config, found.control, found.audit, found.checkpoints, found.store)
    for name in (*found.files, *filter(None, places)):
        if ".." in PurePosixPath(name).parts or name.partition("/")[0] not in (SYSTEM, ELSEWHERE):
            raise StoreError(f"{path} names {name!r}, which is no place in a backup", fix="use another backup")
    return found


def newest(place: Path) -> Path:
    """The backup at this place: it itself, or the newest of those in it. Raises `StoreError` where there is none."""
    if (place / NAME).is_file():
        return place
    whole = [one.parent for one in place.glob(f"[!.]*/{NAME}")] if place.is_dir() else []
    if not whole:
        raise StoreError(f"there is no backup in {place}", fix="make one with `temper backup --to FOLDER`")
    return max(whole, key=lambda one: (read(one).made, one.name))
