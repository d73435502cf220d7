"""`temper policy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, signed_in, when

if TYPE_CHECKING:
    from temper.store.control.policies import Proposal

app = typer.Typer(help="The policy gateways follow: proposed by one person, approved by another.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The number of the proposal.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.")]
Who = Annotated[str, typer.Option("--as", help="Who it is that does this; their password is asked for.")]


@app.command()
def propose(
    reason: Reason,
    who: Who,
    file: Annotated[
        Path | None, typer.Argument(help="A whole policy: stages as under `guard:`, `threshold`, `deadline_ms`.")
    ] = None,
    sets: Annotated[
        list[str], typer.Option("--set", help="An option of it, or of the one that holds: decide.review=[0.3, 0.6].")
    ] = [],  # noqa: B006
    config: options.Config = Path("temper.yaml"),
) -> None:
    """Propose a policy, after it was built once with the live model; shows what it would change."""
    from temper.gateway.tables import policy
    from temper.gateway.tables.deploy import guard

    with opened(guard(config).control) as (control, _, now):
        signed_in(control, who, now)
        typer.echo("\n".join(_told(policy.propose(config, control, file, sets, who, reason, now))))


@app.command(name="list")
def listed(limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20, store: Store = PLACE) -> None:
    """Proposals, the newest first: number, state, digest, by whom, approved or rejected by whom, when, reason."""
    with opened(store) as (control, _, _):
        live, unseen = control.policies.in_force(), control.policies.overridden()
        if unseen is not None:
            typer.echo(f"in force without a second person, by {unseen.by} at {when(unseen.at)}: {unseen.reason}")
        for one in control.policies.page(limit):
            state = "in force" if live is not None and one.id == live.id else one.state
            words = (one.id, state, one.digest[:12], one.author, one.judge or "-", when(one.created), one.reason)
            typer.echo("\t".join(map(str, words)))


@app.command()
def show(number: Number, store: Store = PLACE) -> None:
    """What a proposal changes, line by line."""
    with opened(store) as (control, _, _):
        typer.echo("\n".join(_told(control.policies.get(number))))


@app.command()
def approve(number: Number, reason: Reason, who: Who, store: Store = PLACE) -> None:
    """Put a proposal of somebody else's in force; gateways follow within seconds."""
    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        found = control.policies.approve(number, who, reason, now)
    typer.echo(f"policy {found.id} is in force: {found.digest[:12]}")


@app.command()
def reject(number: Number, reason: Reason, who: Who, store: Store = PLACE) -> None:
    """Turn a proposal down, or take one's own back."""
    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        control.policies.reject(number, who, reason, now)
    typer.echo(f"policy {number} is rejected")


@app.command()
def rollback(reason: Reason, who: Who, store: Store = PLACE) -> None:
    """Go back to the policy before: one approver is enough, because two have agreed on it before."""
    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        found = control.policies.rollback(who, reason, now)
    typer.echo("the policy of temper.yaml is in force" if found is None else f"policy {found.id} is in force again")


@app.command()
def templates(
    show_: Annotated[str, typer.Option("--show", metavar="NAME", help="Print this one, to be copied.")] = "",
) -> None:
    """Policies for assessments that come with Temper: name, people who approve, requirements, what for, which texts."""
    from temper.config.policy import SHIPPED, load_policy, template

    if show_:
        typer.echo(template(show_), nl=False)
        return
    for name in SHIPPED:
        one = load_policy(name)
        typer.echo("\t".join((name, str(one.approvals), str(len(one.requirements)), one.about or "-")))
        for source in one.sources:
            typer.echo(f"  {source.id}: {source.title}, {source.date} ({source.note})")


def _told(one: Proposal) -> list[str]:
    lines = [f"policy {one.id}: {one.state}, proposed by {one.author} at {when(one.created)}: {one.reason}"]
    if one.judge is not None:
        lines.append(
            f"  {'rejected' if one.record is None else 'approved'} by {one.judge} at {when(one.decided)}: {one.note}"
        )
    lines += [
        f"  {change.path}: {change.before or '(not set)'} -> {change.after or '(not set)'}" for change in one.changes()
    ]
    return [*lines, f"decisions under it name {one.digest[:12]}, with the model it was proposed for"]
