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
            help="fraud, signs (traffic signs, needs PyTorch), assistant (prompt injection), or held-out: payments of "
            "another make."
        ),
    ] = "fraud",
    folder: Annotated[Path | None, typer.Option(help="Where to work; default ./demo/NAME.")] = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
) -> None:
    """The whole loop on a shipped example, offline: train, assess, see why it fails, harden, assess again."""
    from temper.demos import tour
    from temper.demos.assistant import tour as of_assistant

    where = folder or Path("demo") / name
    of_assistant.tour(where, seed) if name == "assistant" else tour.tour(name, where, seed, engine)
