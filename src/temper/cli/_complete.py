"""What the shell is told when a value is asked for with the tab key: names that are there, nothing that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import typer

Told = tuple[str, str]
_ROOMS = {"attacks": "", "stress": "stress.", "validation": "validation.", "fuzz": "fuzz."}


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Words that are always the same.

    >>> one_of("quick", "standard", "deep")("s")
    ['standard']
    """
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def plugins(incomplete: str) -> list[str]:
    """Families and plugins as --only takes them; after a comma the next one.

    >>> plugins("evasion.hop,stress.sw")
    ['evasion.hop,stress.swapped']
    """
    from temper.core.room import Room

    before, comma, word = incomplete.rpartition(",")
    names = [f"{front}{name}" for room, front in _ROOMS.items() for name in Room(f"temper.{room}").names()]
    families = {name.partition(".")[0] for name in names}
    return [f"{before}{comma}{name}" for name in sorted({*names, *families}) if name.startswith(word)]


def runs(ctx: typer.Context, incomplete: str) -> Iterator[Told]:
    """Runs of the store beside --config, the newest first, and `last`."""
    from temper.store import glance

    found = list(glance.runs(_folder(ctx)))
    return _starting(incomplete, [*found, *([("last", "the newest")] if found else [])])


def findings(ctx: typer.Context, incomplete: str) -> Iterator[Told]:
    """Findings of the newest run that has any."""
    from temper.store import glance

    return _starting(incomplete, glance.findings(_folder(ctx)))


def systems(incomplete: str) -> list[str]:
    """Every temper.yaml here and up to two folders below; for other paths the shell's own completion answers."""
    found = [path.as_posix() for depth in ("", "*/", "*/*/") for path in sorted(Path().glob(f"{depth}temper.yaml"))]
    return [path for path in found if path.startswith(incomplete)]


def _folder(ctx: typer.Context) -> Path:
    """Where the command would look for its store."""
    return Path(ctx.params.get("config") or "temper.yaml").parent


def _starting(incomplete: str, told: Iterable[Told]) -> Iterator[Told]:
    return (one for one in told if one[0].startswith(incomplete))
