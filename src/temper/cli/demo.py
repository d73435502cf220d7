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
            help="fraud, signs (traffic signs, needs PyTorch), assistant (prompt injection), bank (a whole "
            "quarter), or held-out: payments of another make."
        ),
    ] = "fraud",
    folder: Annotated[Path | None, typer.Option(help="Where to work; default ./demo/NAME.")] = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Write the folder (temper.yaml and what it names) and stop: seconds.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="fraud only: a model behind its guard, its console, and a day of traffic.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="With --serve: the gateway's port; console and model take the next two.")
    ] = 8080,
    once: Annotated[
        bool, typer.Option("--once", help="With --serve: end after the day; exit 1 where an alarm was wrong.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="bank only: a small quarter, in a minute or two.")] = False,
    days: Annotated[int | None, typer.Option(help="bank only: how long; default 90.")] = None,
    per_day: Annotated[int | None, typer.Option(help="bank only: payments a day; default 11,112.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="bank only: a control to switch off; repeat it.")] = None,
    held_out: Annotated[bool, typer.Option("--held-out", help="bank only: a world of another make.")] = False,
    out: Annotated[Path | None, typer.Option(help="bank only: where the story goes; default ./demo/bank.")] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="With --serve: you are asked what playbooks ask, in the analyst's place.")
    ] = False,
) -> None:
    """The whole loop on a shipped example, offline: train, assess, see why it fails, harden, assess again."""
    if name == "bank":
        return _bank(out or folder or Path("demo") / "bank", seed, quick, days, per_day, without or [], held_out)
    if serve:
        return _serve(name, folder, port, seed, once=once, by_hand=by_hand)
    from temper.demos import tour
    from temper.demos.assistant import tour as of_assistant

    where = folder or Path("demo") / name
    if prepare:
        path = of_assistant.written(where) if name == "assistant" else tour.written(name, where, seed)
        return typer.echo(f"{path}\nnext: cd {path.parent} && temper threats")
    of_assistant.tour(where, seed) if name == "assistant" else tour.tour(name, where, seed, engine)


def _bank(
    folder: Path, seed: int, quick: bool, days: int | None, per_day: int | None, without: list[str], held_out: bool
) -> None:
    from temper.demos.bank.tour import Size, tour

    size = Size.of(quick=quick, days=days, per_day=per_day)
    story = tour(folder, seed, size=size, without=tuple(options.words(without) or ()), held_out=held_out)
    if story.missing:
        raise typer.Exit(4)


def _serve(name: str, folder: Path | None, port: int, seed: int, *, once: bool, by_hand: bool) -> None:
    import time

    from temper.core.errors import TemperError
    from temper.demos import serving

    if name != "fraud":
        raise TemperError(f"the demo {name!r} cannot be served", fix="temper demo fraud --serve")
    where = folder or Path("demo") / "fraud-serve"
    if not serving.serve(where, time.time(), port, seed, once=once, by_hand=by_hand):
        raise typer.Exit(1)
