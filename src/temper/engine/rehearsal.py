"""A restored system that shares nothing with the one it was backed up from, to be tried beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from temper.config.reading import read
from temper.config.rewrite import rewritten
from temper.config.serving import serving_of
from temper.config.yaml_text import flow
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


def set_apart(found: Restored, control: str = "") -> Iterator[str]:
    """Point the restored temper.yaml at what was restored with it, wherever it names an absolute path, and at `control`
    for a control store. What was not in the backup is read where it is, and written below the restored folder. Tells
    what was changed.
    """
    config = found.place(found.manifest.config)
    text = config.read_text(encoding="utf-8")
    if control:
        text = rewritten(text, {("guard", "control"): control})
        yield f"guard.control is {control}"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for node, written in reversed([*_paths(root, written=False)]):
        if node.value != control and (new := _moved(found, Path(node.value), written)) is not None:
            text = text[: node.start_mark.index] + flow(str(new)) + text[node.end_mark.index :]
            yield f"{node.value} is {new}"
    config.write_text(text, encoding="utf-8")


def _paths(node: Any, *, written: bool) -> Iterator[tuple[Any, bool]]:
    """Absolute paths of a document in their order, and whether a gateway writes there: what `guard` names may be."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _paths(value, written=written or name.value == "guard")
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _paths(one, written=written)
    elif isinstance(node, yaml.ScalarNode) and node.value.startswith("/"):
        yield node, written


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
