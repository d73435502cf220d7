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
    serve: Annotated[
        bool, typer.Option("--serve", help="fraud only: the model behind its guard, its console, and traffic at it.")
    ] = False,
    port: Annotated[int, typer.Option(help="With --serve: the gateway's port; the console takes the next.")] = 8080,
) -> None:
    """The whole loop on a shipped example, offline: train, assess, see why it fails, harden, assess again."""
    if serve:
        return _serve(name, folder, port, seed)
    from temper.demos import tour
    from temper.demos.assistant import tour as of_assistant

    where = folder or Path("demo") / name
    of_assistant.tour(where, seed) if name == "assistant" else tour.tour(name, where, seed, engine)


def _serve(name: str, folder: Path | None, port: int, seed: int) -> None:
    import time

    from temper.core.errors import TemperError
    from temper.demos import serving

    if name != "fraud":
        raise TemperError(f"the demo {name!r} cannot be served", fix="temper demo fraud --serve")
    serving.serve(folder or Path("demo") / "fraud-serve", time.time(), port, seed)
