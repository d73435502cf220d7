"""`temper reviews`."""

from __future__ import annotations

from typing import Annotated

import typer

from temper.cli._control import PLACE, Store, opened, signed_in, when

app = typer.Typer(help="The cases that wait for a person's decision.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The number of the case.")]
Which = Annotated[str | None, typer.Option(help="open, claimed, second, escalated, closed or expired.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
Verdict = Annotated[str, typer.Argument(help="allow or block.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.")]
Reviewer = Annotated[str, typer.Option("--as", help="Who decides; their password is asked for.")]


@app.command(name="list")
def listed(state: Which = None, limit: Limit = 50, store: Store = PLACE) -> None:
    """Cases in the order they are claimed in: number, state, priority, due, held by, request."""
    with opened(store) as (control, _, now):
        for case in control.reviews.page(state, limit):
            held = case.owner if case.owner and case.lease > now else "-"
            words = (case.id, case.state, case.priority, when(case.due), held, case.request)
            typer.echo("\t".join(map(str, words)))


@app.command()
def show(number: Number, store: Store = PLACE) -> None:
    """A case as JSON. Decisions are left out while a second, blind answer is wanted."""
    from temper.store.codec import dump, to_json

    with opened(store) as (control, _, _):
        typer.echo(to_json(dump(control.reviews.get(number))))


@app.command()
def decide(number: Number, verdict: Verdict, reason: Reason, reviewer: Reviewer, store: Store = PLACE) -> None:
    """Claim a case and decide it."""
    import secrets

    with opened(store) as (control, _, now):
        signed_in(control, reviewer, now)
        held = control.reviews.claim_one(number, reviewer, now)
        case = control.reviews.decide(number, reviewer, verdict, reason, secrets.token_hex(16), held.version, now)
    typer.echo(f"case {number} is {case.state}" + (f": {case.outcome}" if case.outcome else ""))


@app.command()
def agreement(store: Store = PLACE) -> None:
    """How far two people agree beyond chance, where the second did not see the first one's answer."""
    with opened(store) as (control, _, _):
        kappa, low, high, n = control.reviews.agreement()
    typer.echo(f"kappa {kappa:.3f}, 95 % interval {low:.3f} to {high:.3f}, {n} cases decided by two")
