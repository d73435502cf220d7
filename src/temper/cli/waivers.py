"""`temper waivers`."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, signed_in, when

app = typer.Typer(
    help="Requirements accepted until a day although they are not met: one person proposes, another approves.",
    no_args_is_help=True,
)
Number = Annotated[int, typer.Argument(help="The number of the waiver.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.")]
Who = Annotated[str, typer.Option("--as", help="Who it is that does this; their password is asked for.")]


@app.command()
def propose(
    requirement: Annotated[str, typer.Argument(help="The id of a requirement that failed or is not decided.")],
    owner: Annotated[str, typer.Option(help="Who answers for it until then.")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The last day on which it counts.")],
    reason: Reason,
    who: Who,
    run: Annotated[str, typer.Option(help="The run that judged it: its number, or `last`.")] = "last",
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Propose that a requirement is accepted although it is not met."""
    from temper import api
    from temper.core.requirement import Waiver
    from temper.store.evidence import waiving

    accepted = Waiver(by=owner, reason=reason, until=until.date())
    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        key = f"cli:{secrets.token_hex(8)}"
        one = waiving.propose(api.open_store(config.parent), control, key, run, requirement, accepted, who, now)
    typer.echo(f"waiver {one.id} of {one.requirement} is proposed until {one.until}")
    typer.echo(f"next, somebody else: temper waivers approve {one.id} --as NAME --reason WHY")


@app.command(name="list")
def listed(limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20, store: Store = PLACE) -> None:
    """The newest first: number, state, requirement, system, owner, last day, by whom, decided by whom, when, reason."""
    from temper.report._inert import inert
    from temper.store.control.waivers import day

    with opened(store) as (control, _, now):
        for one in control.waivers.page(limit):
            state = "expired" if one.state in ("open", "approved") and one.lapsed(day(now)) else one.state
            about = (one.id, state, one.requirement, one.system, one.owner, one.until)
            words = (*about, one.author, one.ender or one.judge or "-", when(one.created), one.reason)
            typer.echo("\t".join(inert(str(word), 200) for word in words))


@app.command()
def approve(
    number: Number,
    reason: Reason,
    who: Who,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Let a waiver that somebody else proposed count, from the next assessment on."""
    _decided(number, "approve", reason, who, config, store)


@app.command()
def reject(
    number: Number,
    reason: Reason,
    who: Who,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Turn a waiver down, or take one's own back."""
    _decided(number, "reject", reason, who, config, store)


@app.command()
def end(
    number: Number,
    reason: Reason,
    who: Who,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Let a waiver count no more, before its day."""
    _decided(number, "end", reason, who, config, store)


def _decided(number: int, decision: str, reason: str, who: str, config: Path, store: str) -> None:
    from temper import api
    from temper.store.evidence import waiving

    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        one = waiving.decide(api.open_store(config.parent), control, number, decision, who, reason, now)
    typer.echo(f"waiver {one.id} of {one.requirement} is {one.state}")
