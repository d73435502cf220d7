"""`temper publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options


def command(
    model: Annotated[str, typer.Option(help="The registered model's name in MLflow.")],
    version: Annotated[str, typer.Option(help="The version of it that was assessed.")],
    run: options.Run = "last",
    alias: Annotated[str, typer.Option(help="An alias to move there; it moves on PASS only.")] = "",
    uri: Annotated[str, typer.Option(help="Where the registry is; default as MLflow is set.")] = "",
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
) -> None:
    """Write the verdict of a run into an MLflow model registry, as tags of a model version."""
    from temper import api
    from temper.engine.registry import publish

    for line in publish(api.open_store(config.parent).run(run), model, version, alias, uri):
        typer.echo(line)
