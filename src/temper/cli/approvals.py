"""`temper approvals`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, signed_in, when

app = typer.Typer(
    help="Runs put up for approval: one person puts up, others approve (`temper approve`).", no_args_is_help=True
)
Reason = Annotated[str, typer.Option(help="Why, in a few words.")]
Who = Annotated[str, typer.Option("--as", help="Who it is that does this; their password is asked for.")]


@app.command()
def ask(
    run: options.Run,
    reason: Reason,
    who: Who,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Put a run up for approval, by as many people as its policy says."""
    from temper import api
    from temper.config.policy import policy_at
    from temper.store.evidence import approving

    policy = policy_at(config)
    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        kept = api.open_store(config.parent)
        one = approving.ask(kept, control, run, policy.approvals, who, reason, now, signed=policy.signatures)
    typer.echo(f"run {one.about.run} ({one.about.verdict.upper()}) is up for approval; it takes {one.needs}")
    typer.echo(f"next, somebody else: temper approve {one.about.run} --as NAME --key NAME.key --reason WHY")


@app.command(name="list")
def listed(limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20, store: Store = PLACE) -> None:
    """The newest first: number, run, verdict, model, state, made by, put up by, approved by, when, reason."""
    with opened(store) as (control, _, _):
        for one in control.approvals.page(limit):
            about = (one.about.run, one.about.verdict, one.about.model[:12], one.state, one.about.maker or "-")
            people = (one.author, ",".join(one.approvers) or "-", when(one.created), one.reason)
            typer.echo("\t".join(map(str, (one.id, *about, *people))))


@app.command()
def show(number: Annotated[int, typer.Argument(help="The number of the request.")], store: Store = PLACE) -> None:
    """A request with its votes, and whether each signature holds."""
    with opened(store) as (control, _, _):
        one = control.approvals.get(number)
        valid = {found.id for found in control.approvals.standing(one.about.model, signed=False)}
    typer.echo(
        f"approval {one.id}: run {one.about.run} of {one.about.system}, {one.about.verdict.upper()}: {one.state}"
    )
    typer.echo(f"  made by {one.about.maker or '-'}, put up by {one.author} at {when(one.created)}: {one.reason}")
    for vote in one.votes:
        how = ", through the console, without a signature" if vote.decision == "approve" and not vote.signed else ""
        typer.echo(f"  {vote.decision} by {vote.person} at {when(vote.at)}{how}: {vote.reason}")
    if one.state == "approved" and (one.id not in valid or any(vote.signed for vote in one.votes)):
        typer.echo(f"  signatures {'hold' if one.id in valid else 'DO NOT HOLD'}")


@app.command()
def reject(
    run: options.Run,
    reason: Reason,
    who: Who,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Turn down a run that was put up, or take one's own request back."""
    _ended(run, "reject", reason, who, config, store)


@app.command()
def withdraw(
    run: options.Run,
    reason: Reason,
    who: Who,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Withdraw an approval: its model is not brought to a gateway by it any more."""
    _ended(run, "withdraw", reason, who, config, store)


def _ended(run: str, decision: str, reason: str, who: str, config: Path, store: str) -> None:
    from temper import api
    from temper.store.evidence import approving

    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        one = approving.end(api.open_store(config.parent), control, run, decision, who, reason, now)
    typer.echo(f"approval {one.id} of run {one.about.run} is {one.state}")
