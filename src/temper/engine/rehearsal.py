"""A restored system that shares nothing with the one it was backed up from, to be tried beside it."""

from __future__ import annotations

from pathlib import Path

from temper.config.reading import read
from temper.config.rewrite import repointed, rewritten
from temper.config.serving import serving_of
from temper.core.errors import ConfigError
from temper.store.backup.manifest import ELSEWHERE, newest
from temper.store.backup.manifest import read as manifest_of
from temper.store.backup.restore import Restored


def possible(place: Path, control: str) -> None:
    """Raises `ConfigError` where the backup names a database server and nobody says which one to use instead."""
    backup = newest(place)
    config = backup / manifest_of(backup).config
    if "://" in serving_of(read(config), config.parent).control and not control:
        raise ConfigError(
            "the control store is on a database server, and a copy of the gateway would write into the live one",
            fix="restore its dump to another database, and name that with --control",
        )


def set_apart(found: Restored, control: str = "") -> list[str]:
    """Point the restored temper.yaml at what was restored with it, wherever it names an absolute path, and at `control`
    for a control store. What was not in the backup is read where it is, and written below the restored folder. Tells
    what was changed.
    """
    config = found.place(found.manifest.config)
    text = config.read_text(encoding="utf-8")
    if control:
        text = rewritten(text, {("guard", "control"): control})

    def now(path: Path, section: str) -> Path | None:
        return None if str(path) == control else _moved(found, path, section == "guard")

    text, moved = repointed(text, now)
    config.write_text(text, encoding="utf-8")
    return [*([f"guard.control is {control}"] if control else []), *(f"{old} is {new}" for old, new in moved.items())]


def _moved(found: Restored, path: Path, written: bool) -> Path | None:
    """Where this path lies now: below `elsewhere`, or below temper.yaml's folder where it lay there; None where it is
    to be left.
    """
    outside = found.to.joinpath(ELSEWHERE, *path.parts[1:])
    if outside.exists():
        return outside
    said = found.manifest
    for name in filter(None, (*said.files, said.control, said.audit, said.checkpoints)):
        below = found.place(name).relative_to(found.to).parts
        if path.parts[-len(below) :] == below:
            return found.place(name)
    return outside if written else None
