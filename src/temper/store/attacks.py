"""What attacks there are, as one digest: it changes when an attack or a threat is added or changed."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable

_FOLDERS = (("attacks",), ("threats", "catalogue"), ("judges",))
_GROUP = "temper.attacks"
_ENDINGS = (".py", ".yaml")


@cache
def attacks_digest() -> str:
    """Of the files of attacks, judges and threats, and of the versions of distributions that add attacks. They are
    read, never loaded: what serves asks for it, too.
    """
    found = hashlib.sha256()
    for folder in _FOLDERS:
        place: Traversable = resources.files("temper")
        for name in folder:
            place = place / name
        for name, content in _files(place, "/".join(folder)):
            found.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    for version in sorted(_versions()):
        found.update(f"{version}\n".encode())
    return found.hexdigest()


def _files(place: Traversable, name: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for one in sorted(place.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            found += _files(one, f"{name}/{one.name}")
        elif one.name.endswith(_ENDINGS):
            found.append((f"{name}/{one.name}", one.read_bytes()))
    return found


def _versions() -> set[str]:
    """Distributions that bring attacks by entry points."""
    return {f"{point.name} {point.dist.version if point.dist else ''}" for point in entry_points(group=_GROUP)}
