"""`temper fleet`: a portfolio of systems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options

if TYPE_CHECKING:
    from temper.api.fleet import Systems

app = typer.Typer(help="A portfolio of systems: assess them all, see how each stands.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="The portfolio; `temper fleet init` writes one.")]
Tiers = Annotated[
    list[str] | None, typer.Option(help="Only these tiers: high,medium, or repeat it.", callback=options.words)
]
Which = Annotated[
    list[str] | None,
    typer.Option(help="Only these systems: names, globs of names, owners or tags.", callback=options.words),
]
Suite = Annotated[
    str, typer.Option(help="quick, standard or deep; default that of the tier.", autocompletion=options.SUITES)
]


@app.command()
def assess(
    portfolio: File = Path("portfolio.yaml"),
    tier: Tiers = None,
    only: Which = None,
    suite: Suite = "",
    stale: Annotated[bool, typer.Option("--stale", help="Measure again only what is stale.")] = False,
    budget: Annotated[float | None, typer.Option(help="Minutes for all of it; what has no turn is named.")] = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
    workers: options.Workers = None,
    address: options.Address = None,
    runs: options.Runs = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an assessment that was killed.")] = False,
    fresh: options.Fresh = False,
    json: options.Json = False,
    allow_inconclusive: options.Lenient = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Assess every system, each in a process of its own; one that fails stops no other."""
    from temper.api.fleet import fleet_assess
    from temper.core.errors import RunStopped
    from temper.report.progress import Progress

    try:
        with Progress(quiet=json, what="systems") as progress:
            found = fleet_assess(
                portfolio,
                tiers=tier or (),
                only=only or (),
                suite=suite,
                engine=engine,
                workers=workers,
                address=address,
                store=runs,
                minutes=budget,
                seed=seed,
                stale=stale,
                resume=resume,
                fresh=fresh,
                trust_pickle=trust_pickle,
                listener=progress,
            )
    except KeyboardInterrupt:
        raise RunStopped(
            "the fleet was stopped; what was finished is kept", fix=f"temper fleet assess {portfolio} --resume"
        ) from None
    _show(found, json)
    raise typer.Exit(0 if found.code == 3 and allow_inconclusive else found.code)


@app.command()
def status(portfolio: File = Path("portfolio.yaml"), runs: options.Runs = "", json: options.Json = False) -> None:
    """How every system stands: verdict, age, risk, what is stale, drift now. Nothing is assessed."""
    from temper.api.fleet import fleet_status

    _show(fleet_status(portfolio, store=runs), json)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to look for temper.yaml files.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: portfolio.yaml in that folder.")] = None,
) -> None:
    """Write a portfolio of the systems found in a folder; guesses are marked."""
    from temper.config.portfolio_draft import write
    from temper.core.count import counted

    path, found = write(folder, out or folder / "portfolio.yaml")
    typer.echo(f"{path}: {counted(found, 'system')}; check the tiers and owners\nnext: temper fleet assess {path}")


def _show(found: Systems, json: bool) -> None:
    from temper.report.fleet import document, show
    from temper.store.codec import to_json

    if json:
        typer.echo(to_json(document(found)))
    else:
        show(found)
