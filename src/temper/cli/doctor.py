"""`temper doctor`."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    warm: Annotated[bool, typer.Option("--warm", help="Compile and cache what the first run would.")] = False,
) -> None:
    """Say what is installed, what is missing for which model, and whether this machine can run Temper."""
    from temper.engine.doctor import examine

    report = examine(warm=warm)
    for line in report.lines:
        typer.echo(line)
    raise typer.Exit(0 if report.healthy else 1)
