"""Where a temper.yaml keeps its runs and its arrays, if that is not the folder beside it.

store: postgresql://temper@db.example/models   # runs, findings, answers and the ledger, shared by many machines
blobs: s3://models-evidence/temper             # arrays; any URL that fsspec knows

Passwords and keys stay out of the file: in PGPASSWORD, ~/.pgpass, or where the tools of the bucket look for them.
"""

from __future__ import annotations

from pathlib import Path

from temper.config.document import Section
from temper.config.reading import read

KEEPING = ("store", "blobs")


def kept_of(document: Section) -> tuple[str, str]:
    """The URLs of the runs and of the arrays, "" for the folder beside the file."""
    found = {key: document.text(key) for key in KEEPING}
    for key, example in zip(KEEPING, ("postgresql://user@host/database", "s3://bucket/folder"), strict=True):
        if found[key] and "://" not in found[key]:
            raise document.error(f"{key}: {found[key][:40]!r} is no URL", key, fix=f"write {example}, or leave it out")
    return found["store"], found["blobs"]


def kept_in(folder: Path) -> tuple[str, str]:
    """The same of the temper.yaml in a folder; of a folder without one nothing is said."""
    config = folder / "temper.yaml"
    return kept_of(read(config)) if config.is_file() else ("", "")
