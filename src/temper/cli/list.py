"""`temper list`."""

from __future__ import annotations

from typing import Annotated

import typer

from temper.core.errors import TemperError
from temper.core.room import Room

ROOMS = {
    "attacks": "temper.attacks",
    "checks": "temper.validation",
    "defences": "temper.hardening",
    "judges": "temper.judges",
    "stressors": "temper.stress",
}


def command(room: Annotated[str, typer.Argument(help="attacks, checks, stressors, defences or judges.")] = "") -> None:
    """List the plugins of a room, or of all rooms."""
    if room and room not in ROOMS:
        raise TemperError(f"there is no room {room!r}", fix=f"use one of {', '.join(ROOMS)}")
    for name, package in ROOMS.items():
        if room in ("", name):
            typer.echo(f"{name}:")
            for plugin in Room(package).names():
                typer.echo(f"  {plugin:<28} {Room(package).summary(plugin)}")
