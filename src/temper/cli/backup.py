"""`temper backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options


def command(
    to: Annotated[
        Path, typer.Option(help="The folder of the backups; each becomes a folder in it, named by its time.")
    ],
    config: options.Config = Path("temper.yaml"),
    secrets: Annotated[
        bool,
        typer.Option("--secrets", help="Copy the pepper and the signing keys of the ledgers too; then encrypt it."),
    ] = False,
    data: Annotated[bool, typer.Option("--data", help="Copy the tables that `data:` names too.")] = False,
) -> None:
    """Back up what a gateway and assessments keep, while they run: ledgers, control store, runs, models, settings.
    Never overwrites.
    """
    from temper import __version__
    from temper.engine.backup import backup

    typer.echo("\n".join(backup(config, to, __version__, secrets=secrets, data=data)))
