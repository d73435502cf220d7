"""`temper reviews`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, signed_in, when

if TYPE_CHECKING:
    from temper.store.control.agreement import Kappa, Share

app = typer.Typer(help="The cases that wait for a person's decision.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The number of the case.")]
Which = Annotated[str | None, typer.Option(help="open, claimed, second, escalated, closed or expired.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
Verdict = Annotated[str, typer.Argument(help="allow or block.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.")]
Part = Annotated[float, typer.Argument(min=0.0, max=1.0, help="The share: 0.05 is one in twenty, 0 is none.")]
Approver = Annotated[str, typer.Option("--as", help="An approver; their password is asked for.")]
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
    """How far people agree beyond chance where the second did not see the first one's answer, how they answer planted
    cases, and how often they follow a score that misleads.
    """
    with opened(store) as (control, _, _):
        found, share = control.reviews.agreement(), control.exercises.share()
    typer.echo(f"all: {_kappa(found.whole)}")
    for pair in found.pairs:
        typer.echo(f"{pair.one} and {pair.two}: {_kappa(pair.kappa)}")
    for reader in (found.everybody, *found.people) if found.people else ():
        typer.echo(f"planted, {reader.name or 'all'}: right {_share(reader.right)}")
        typer.echo(f"  wrong where the score misled {_share(reader.followed)}, where not {_share(reader.strayed)}")
    for one in found.differing:
        typer.echo(f"case {one.first} was {one.said}, and {one.replied} when it came again as {one.second}")
    typer.echo(f"{100 * share:g} % of what one person closes come again; {found.waiting} wait, planted ones among them")


@app.command()
def again(share: Part, reviewer: Approver, store: Store = PLACE) -> None:
    """Let a share of the cases that one person closes come again to another, who does not see the first answer."""
    with opened(store) as (control, _, now):
        signed_in(control, reviewer, now)
        control.exercises.set_share(share, reviewer, now)
    typer.echo(f"{100 * share:g} % of what one person closes come again")


@app.command()
def plant(
    many: Annotated[int, typer.Argument(min=1, help="How many.")],
    reviewer: Approver,
    config: options.Config = Path("temper.yaml"),
    misled: Annotated[float, typer.Option(min=0.0, max=1.0, help="The share whose score leans the wrong way.")] = 0.5,
    store: Store = PLACE,
) -> None:
    """Put labelled training rows among the cases of other people, who cannot tell them from real ones."""
    from temper.config.system import load_system
    from temper.gateway.tables.planting import plantings

    with opened(store) as (control, _, now):
        signed_in(control, reviewer, now)
        numbers = control.exercises.plant(plantings(load_system(config), many, misled), reviewer, now)
    typer.echo(f"planted {len(numbers)} cases")


def _kappa(kappa: Kappa) -> str:
    agreed = f"agreed {_share(kappa.agreed)}"
    if math.isnan(kappa.value):
        return f"no kappa yet, {agreed}"
    ends = "" if math.isnan(kappa.low) else f", 95 % interval {kappa.low:.2f} to {kappa.high:.2f}"
    return f"kappa {kappa.value:.2f}{ends}, {agreed}"


def _share(share: Share) -> str:
    return f"{share.count} of {share.n}" + (f" ({share.low:.0%} to {share.high:.0%})" if share.n else "")


@app.command()
def export(
    since: Annotated[int, typer.Option(min=0, help="The `cursor` of the last label one has.")] = 0,
    store: Store = PLACE,
) -> None:
    """What people decided, as labels, one JSON document a line; a cursor misses none and gives none twice."""
    with opened(store) as (control, _, _):
        for one in control.outbox.after(since):
            typer.echo(one.line())
            since = one.cursor
    typer.echo(f"the next: --since {since}", err=True)


@app.command()
def relay(
    to: Annotated[str, typer.Option(help="A file that labels are appended to, or the https:// URL of a webhook.")],
    every: Annotated[float, typer.Option(min=0.0, help="Go on, with so many seconds between; 0 for once.")] = 0.0,
    header: Annotated[
        list[str], typer.Option(help="A header for the webhook, `Authorization: Bearer {NAME}` from a variable.")
    ] = [],  # noqa: B006
    store: Store = PLACE,
) -> None:
    """Hand labels on, in their order: a file gets each once, a webhook at least once under one Idempotency-Key."""
    import time

    from temper.core.errors import StoreError
    from temper.engine.labels import relay as out

    headers = dict(_header(one) for one in header)
    with opened(store) as (control, _, _):
        while True:
            try:
                typer.echo(f"{sum(1 for _ in out(control.outbox, to, headers))} labels handed on", err=True)
            except StoreError as trouble:
                if not every:
                    raise
                typer.echo(f"{trouble.message}", err=True)
            if not every:
                return
            time.sleep(every)


def _header(text: str) -> tuple[str, str]:
    from temper.core.errors import TemperError

    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise TemperError("a header is NAME: VALUE", fix='write --header "Authorization: Bearer {NAME}"')
    return name.strip(), value.strip()
