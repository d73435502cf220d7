"""`temper drill`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, when

app = typer.Typer(help="Break something on purpose, under load, and count what clients notice.", no_args_is_help=True)


@app.callback()
def _several() -> None:
    """More drills than one."""


@app.command("primary-down")
def primary_down(
    config: options.Config = Path("temper.yaml"),
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 500.0,
    seconds: Annotated[float, typer.Option(help="How long; the model is away in the second quarter.")] = 20.0,
    hang: Annotated[bool, typer.Option("--hang", help="Stop the model's process instead of killing it.")] = False,
) -> None:
    """Kill the model behind the gateway under load: nobody may be left without an answer. The console's dashboard shows
    it while it runs.
    """
    import getpass

    from temper.engine.drill.primary import primary_down as run

    found = run(config, rate, seconds, hang, lambda line: typer.echo(line, err=True), getpass.getuser())
    typer.echo("\n".join(found.lines()))
    typer.echo("PASS" if found.held else "FAIL")
    raise typer.Exit(0 if found.held else 1)


@app.command("list")
def listed(store: Store = PLACE) -> None:
    """Drills that were recorded: number, name, when, PASS or FAIL, requests, failed, detected and restored after."""
    with opened(store) as (control, _, now):
        for one in control.drills.page(limit=100):
            verdict = "running" if one.running(now) else {True: "PASS", False: "FAIL", None: "interrupted"}[one.held]
            told = [one.figures.get(name, "-") for name in ("requests", "failed", "detected", "restored")]
            words = (one.id, one.name, when(one.started), verdict, *told)
            typer.echo("\t".join(f"{word:.3f}" if isinstance(word, float) else str(word) for word in words))


@app.command("restore")
def restore(
    source: Annotated[
        Path, typer.Argument(metavar="FROM", help="A backup, or the folder of several: then the newest.")
    ],
    config: options.Config = Path("temper.yaml"),
    scratch: Annotated[
        Path | None, typer.Option(help="Where there is room for a copy; default the folder for temporary files.")
    ] = None,
) -> None:
    """Restore the newest backup to a scratch place, verify it, and say how long it took and what would be lost now."""
    from temper.engine.drill.restore import rehearse

    found = rehearse(config, source, scratch)
    typer.echo("\n".join(found.lines()))
    typer.echo("PASS" if found.held else "FAIL")
    raise typer.Exit(0 if found.held else 1)
