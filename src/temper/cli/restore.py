"""`temper restore`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer


def command(
    source: Annotated[
        Path, typer.Argument(metavar="FROM", help="A backup, or the folder of several: then the newest.")
    ],
    to: Annotated[Path, typer.Option(help="A folder that is empty or not there yet.")],
) -> None:
    """Restore a backup, held against its digests, and verify its ledger; exit 1 where something does not hold."""
    from temper.engine.backup import told
    from temper.store.backup.restore import restore

    start = time.monotonic()
    found = restore(source, to)
    typer.echo("\n".join(told(found, time.monotonic() - start)))
    typer.echo("FAIL" if found.faults else "PASS")
    raise typer.Exit(1 if found.faults else 0)
