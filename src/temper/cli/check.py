"""`temper check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    files: Annotated[list[Path], typer.Argument(help="temper.yaml files, policies, model files.")],
) -> None:
    """Hold files against the rules before they are committed: nothing is loaded, asked or written.

    A temper.yaml or a policy is read to its last line; exit 2 for the first that is wrong. Any other file is scanned as
    a model; exit 1 where one would do what no model needs.
    """
    from temper.api import checks

    bad = 0
    for file in files:
        words, sound = checks.check(file)
        bad += not sound
        typer.echo(words, err=not sound)
    raise typer.Exit(1 if bad else 0)
