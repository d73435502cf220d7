"""`temper drill`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, when

if TYPE_CHECKING:
    from temper.engine.drill.catalogue import Drill


class Drills(TyperGroup):
    """The commands below, and one for each drill, made when it is asked for: two dozen would slow every start down.

    Contexts and commands are click's, which some releases of typer carry under a name of their own.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """The drills first, then what is done with them."""
        from temper.engine.drill.catalogue import DRILLS

        own = super().list_commands(ctx)
        return [*DRILLS, *(name for name in own if name not in DRILLS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them."""
        from temper.engine.drill.catalogue import DRILLS

        own = super().get_command(ctx, cmd_name)
        return own or (_command(DRILLS[cmd_name]) if cmd_name in DRILLS else None)


app = typer.Typer(
    cls=Drills, help="Break something on purpose, under load, and count what clients notice.", no_args_is_help=True
)
Rate = Annotated[float, typer.Option(help="Requests a second.")]
Seconds = Annotated[float, typer.Option(help="How long; the fault has the second quarter.")]
Share = Annotated[float, typer.Option(help="The share of requests that a fault of the line meets.")]
Slo = Annotated[float, typer.Option(help="The share of requests that must be answered in time, to pass.")]
Seed = Annotated[int, typer.Option(help="Draws when requests come, and which of them meet the fault.")]


@app.callback()
def _several() -> None:
    """More drills than one."""


def _command(drill: Drill) -> Any:
    """A command of this drill's name."""

    def command(
        config: options.Config = Path("temper.yaml"),
        rate: Rate = 200.0,
        seconds: Seconds = 20.0,
        slo: Slo = 0.99,
        share: Share = 1.0,
        seed: Seed = 0,
    ) -> None:
        _ran(config, drill.name, rate=rate, seconds=seconds, slo=slo, share=share, seed=seed)

    text = f"Under load, {drill.words}."
    one = typer.Typer(add_completion=False, rich_markup_mode=None)
    one.command(drill.name, help=text, short_help=text)(command)
    return typer.main.get_command(one)


def _ran(config: Path, name: str, **load: Any) -> None:
    """Do it, tell it, and end with what came of it."""
    import getpass

    from temper.engine.drill.catalogue import drill_of
    from temper.engine.drill.run import run
    from temper.engine.drill.terms import Load

    found = run(config, drill_of(name), Load(**load), lambda line: typer.echo(line, err=True), getpass.getuser())
    typer.echo("\n".join(found.lines()))
    typer.echo(found.verdict.value.upper())
    raise typer.Exit(found.verdict.code)


@app.command("primary-down", short_help="Under load, the model is killed, or stopped (--hang).")
def primary_down(
    config: options.Config = Path("temper.yaml"),
    rate: Rate = 500.0,
    seconds: Seconds = 20.0,
    slo: Slo = 0.99,
    seed: Seed = 0,
    hang: Annotated[bool, typer.Option("--hang", help="Stop the model's process instead of killing it.")] = False,
) -> None:
    """Kill the model behind the gateway under load: nobody may be left without an answer. The console's dashboard shows
    it while it runs.
    """
    _ran(config, "primary-hang" if hang else "primary-down", rate=rate, seconds=seconds, slo=slo, seed=seed)


@app.command("all", short_help="All of them, one after the other, with one report.")
def everything(
    config: options.Config = Path("temper.yaml"),
    only: options.Only = None,
    plan: Annotated[Path | None, typer.Option(help="A file with a list `drills:` in place of all of them.")] = None,
    out: Annotated[Path, typer.Option(help="The folder for the report, as HTML and JSON.")] = Path("gameday"),
    rate: Rate = 200.0,
    seconds: Seconds = 20.0,
    slo: Slo = 0.99,
    seed: Seed = 0,
) -> None:
    """A game day: one drill after the other, and a report of them, the worst first. Ctrl-C or SIGTERM ends it; what was
    done by then is in the report.
    """
    import getpass
    import signal

    from temper.engine.drill import gameday
    from temper.engine.drill.terms import Load

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load = Load(rate=rate, seconds=seconds, slo=slo, seed=seed)
    drills = gameday.planned(plan, load) if plan else gameday.everything(load, only or ())
    day = gameday.game_day(config, drills, lambda line: typer.echo(line, err=True), getpass.getuser())
    for path in gameday.written(day, out):
        typer.echo(f"report: {path}", err=True)
    for one in day.ordered:
        typer.echo(f"{one.verdict.value.upper()}\t{one.name}\t{'; '.join(one.reasons)}")
    typer.echo(day.verdict.value.upper())
    raise typer.Exit(day.verdict.code)


@app.command("proxy", short_help="A fault on the line to a service of your own.")
def proxy(
    upstream: Annotated[str, typer.Argument(help="A service that runs: its URL, or HOST:PORT.")],
    fault: Annotated[str, typer.Argument(help="A drill of the line: latency, hang, errors, nan, ...")],
    setting: Annotated[list[str] | None, typer.Option("--set", help="An option of the fault, ms=300; or more.")] = None,
    seconds: Annotated[float, typer.Option(help="How long the fault lasts; an hour at most.")] = 30.0,
    before: Annotated[float, typer.Option(help="Seconds without a fault before it.")] = 0.0,
    after: Annotated[float, typer.Option(help="Seconds without a fault after it; default until Ctrl-C.")] = math.inf,
    port: Annotated[int, typer.Option(help="Where to listen on this machine; 0 is any port.")] = 0,
    share: Share = 1.0,
    client: Annotated[str, typer.Option(help="Only exchanges of this key or address.")] = "",
    seed: Seed = 0,
    yes_this_host: Annotated[str, typer.Option(help="A host that is not this machine, once more.")] = "",
) -> None:
    """Stand between a client and a service that Temper did not start, with a fault on the line for a time. Exit 1 where
    it met nothing.
    """
    from temper.engine.drill.between import Between, option

    how: dict[str, Any] = {"before": before, "seconds": seconds, "after": after, "share": share, "client": client}
    how |= {"options": dict(map(option, setting or ())), "port": port, "seed": seed, "confirmed": yes_this_host}
    met = Between(upstream=upstream, name=fault, **how).run(typer.echo)
    raise typer.Exit(0 if met else 1)


@app.command("list", short_help="Drills that were recorded.")
def listed(store: Store = PLACE) -> None:
    """Drills that were recorded: number, name, when, PASS or FAIL, requests, failed, detected and restored after."""
    with opened(store) as (control, _, now):
        for one in control.drills.page(limit=100):
            verdict = "running" if one.running(now) else {True: "PASS", False: "FAIL", None: "interrupted"}[one.held]
            told = [one.figures.get(name, "-") for name in ("requests", "failed", "detected", "restored")]
            words = (one.id, one.name, when(one.started), verdict, *told)
            typer.echo("\t".join(f"{word:.3f}" if isinstance(word, float) else str(word) for word in words))


@app.command("restore", short_help="Restore the newest backup beside, and verify it.")
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
