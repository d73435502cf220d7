"""`temper demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="fraud, signs (traffic signs, needs PyTorch), or held-out: a payments system of another make."
        ),
    ] = "fraud",
    folder: Annotated[Path | None, typer.Option(help="Where to work; default ./demo/NAME.")] = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
) -> None:
    """The whole loop on a shipped example, offline: train, assess, see why it fails, harden, assess again."""
    from temper.demos.tour import tour

    tour(name, folder or Path("demo") / name, seed, engine)
