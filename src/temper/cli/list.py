"""`temper list`."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from temper.core.errors import TemperError
from temper.core.room import Room

if TYPE_CHECKING:
    from temper.core.target import Access

ROOMS = {
    "attacks": "temper.attacks",
    "checks": "temper.validation",
    "fuzz": "temper.fuzz",
    "defences": "temper.hardening",
    "faults": "temper.chaos.faults",
    "judges": "temper.judges",
    "comparisons": "temper.monitoring.drift",
    "labels": "temper.monitoring.accuracy",
    "receivers": "temper.monitoring.receivers",
    "detectors": "temper.detectors",
    "signs": "temper.monitoring.security",
    "stressors": "temper.stress",
}


def command(
    room: Annotated[
        str,
        typer.Argument(
            help="attacks, checks, stressors, faults, fuzz, defences, judges, comparisons, signs, labels, receivers,"
            " detectors."
        ),
    ] = "",
) -> None:
    """List the plugins of a room, or of all rooms: name, what it has to reach of the model, what it does."""
    if room and room not in ROOMS:
        raise TemperError(f"there is no room {room!r}", fix=f"use one of {', '.join(ROOMS)}")
    end = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for name, package in ROOMS.items():
        if room in ("", name):
            typer.echo(f"{name}:")
            for line in _lines(Room(package), aligned=name == "attacks"):
                typer.echo(line if end is None or len(line) <= end else f"{line[: end - 1].rstrip()}…")


def _lines(room: Room, aligned: bool) -> list[str]:
    """One line per plugin; attacks by family, those that must reach least of the model first."""
    from temper.core.target import Access  # and NumPy with it, which no other command's start has to wait for

    rows = [(name, _needs(room.get(name)) if aligned else Access.NONE, _sentence(room, name)) for name in room.names()]
    rows.sort(key=lambda row: (row[0].partition(".")[0] if aligned else "", row[1].value, row[0]))
    wide = max((len(name) for name, _, _ in rows), default=0)
    most = max((len(_reach(needs)) for _, needs, _ in rows), default=0)
    return [
        "  " + "  ".join([name.ljust(wide), _reach(needs).ljust(most), does][:: 1 if aligned else 2])
        for name, needs, does in rows
    ]


def _needs(plugin: type) -> Access:
    """The strongest of what an attack needs: whoever has gradients has scores as well."""
    from temper.core.target import Access

    needs = getattr(plugin, "needs", Access.NONE)
    if not isinstance(needs, Access):  # a technique needs what another one gives
        return Access.NONE
    return max(needs, key=lambda flag: flag.value, default=Access.NONE)


def _reach(needs: Access) -> str:
    return needs.words() if needs else ""


def _sentence(room: Room, name: str) -> str:
    return room.summary(name).partition(". ")[0].rstrip(".") + "."
