"""`temper layers`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options

if TYPE_CHECKING:
    from temper.api.layers import Layers

Attacks = Annotated[
    list[str] | None,
    typer.Option("--attack", help="evasion.coordinate, or repeat it; default those that suit what clients are told."),
]
AsIf = Annotated[
    list[str] | None,
    typer.Option("--as-if", help="A layer in shadow, or off, that counts as if it acted."),
]

Accounts = Annotated[
    list[int] | None,
    typer.Option("--accounts", help="How many accounts an attacker holds, or repeat it: a row each; default 1."),
]
Campaign = Annotated[
    str, typer.Option(help="Weigh what the campaigns of this run sent, and attack nothing anew: 0007, or last.")
]


def command(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    suite: options.Suite = "standard",
    attack: Attacks = None,
    campaign: Campaign = "",
    worth: Annotated[str, typer.Option(help="Column of what an attempt is worth; default as the file says.")] = "",
    as_if: AsIf = None,
    accounts: Accounts = None,
    run: Annotated[str, typer.Option(help="Send the rows of this stored run, too: its id, or last.")] = "",
    through: Annotated[float, typer.Option(help="Limit: the share of attacks that may get through.")] = 0.1,
    refused: Annotated[float, typer.Option(help="Limit: the share of honest requests that may be refused.")] = 0.05,
    refusal_costs: Annotated[float | None, typer.Option(help="What an honest request refused costs.")] = None,
    review_costs: Annotated[float | None, typer.Option(help="What a request that a person looks at costs.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write it too: .html (streams, charts) or .json.")] = None,
    seed: options.Seed = 0,
    fresh: options.Fresh = False,
    json: options.Json = False,
    allow_inconclusive: options.Lenient = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Weigh the layers of a table model's guard: alone, at the margin, together; for attackers who know them, and who
    do not, and for honest requests.
    """
    from temper import api
    from temper.api.layers import weigh
    from temper.core.requirement import Verdict
    from temper.report.progress import Progress

    system = api.load(config, trust_pickle=trust_pickle)
    with Progress() as progress:
        found = weigh(
            system,
            suite,
            attacks=attack or (),
            worth=worth,
            as_if=as_if or (),
            accounts=accounts or (),
            run=run,
            through=through,
            refused=refused,
            refusal_costs=refusal_costs,
            review_costs=review_costs,
            seed=seed,
            fresh=fresh,
            campaign=campaign,
            listener=progress,
        )
    _tell(found, out, json=json)
    lenient = allow_inconclusive and found.verdict is Verdict.INCONCLUSIVE
    raise typer.Exit(0 if lenient else found.verdict.code)


def _tell(found: Layers, out: Path | None, *, json: bool) -> None:
    """As a person or a program reads it, and once more in a file."""
    from temper.report.depth import document, show

    typer.echo(document(found.depth)) if json else show(found.depth)
    if out is not None:
        typer.echo(f"wrote {found.report(out)}", err=json)
