"""`temper restore`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from temper.core.errors import TemperError


def command(
    source: Annotated[
        Path, typer.Argument(metavar="FROM", help="A backup, or the folder of several: then the newest.")
    ],
    to: Annotated[Path, typer.Option(help="A folder that is empty or not there yet.")],
    apart: Annotated[
        bool,
        typer.Option("--apart", help="Point its temper.yaml at what was restored, to try it beside the live system."),
    ] = False,
    control: Annotated[
        str, typer.Option(help="With --apart, a control store to use instead, as a restored dump's postgresql:// URL.")
    ] = "",
) -> None:
    """Restore a backup, held against its digests, and verify its ledgers; exit 1 where something does not hold."""
    from temper.engine.backup import left_to_do, told
    from temper.engine.rehearsal import possible, set_apart
    from temper.store.backup.restore import restore

    if control and not apart:
        raise TemperError("--control is for a copy that is tried beside the live system", fix="give --apart too")
    if apart:
        possible(source, control)
    start = time.monotonic()
    found = restore(source, to)
    typer.echo("\n".join(told(found, time.monotonic() - start)))
    if apart:
        typer.echo("\n".join(["temper.yaml names what was restored:", *set_apart(found, control)]))
    for line in left_to_do(found, apart=apart):
        typer.echo(line)
    typer.echo("FAIL" if found.faults else "PASS")
    raise typer.Exit(1 if found.faults else 0)
