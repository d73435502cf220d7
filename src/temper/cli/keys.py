"""`temper keys`."""

from __future__ import annotations

from typing import Annotated

import typer

from temper.cli._control import PLACE, Store, duration, opened, signed_in, when

app = typer.Typer(
    help="The keys of programs: that ask a gateway for scores, or work for a person at the console.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="Whose key it is.")]
Kid = Annotated[str, typer.Argument(help="The part of the key before the dot; `temper keys list` shows it.")]
Scopes = Annotated[list[str], typer.Option("--scope", help="What the key may do; repeat it for more.")]
Group = Annotated[str, typer.Option(help="The group whose quota the key shares.")]
Days = Annotated[float | None, typer.Option(min=0.0, help="How long it holds; without it, until it is revoked.")]


@app.command()
def add(name: Name, scope: Scopes = ["score"], group: Group = "", days: Days = None, store: Store = PLACE) -> None:  # noqa: B006
    """Make a key and print it, the only time it can be seen."""
    with opened(store) as (control, me, now):
        expires = None if days is None else now + days * 86400.0
        typer.echo(control.keys.add(name, me, now, scopes=tuple(scope), group=group, expires=expires))


@app.command()
def lend(
    person: Annotated[str, typer.Argument(help="Whose programs it is for.")],
    scope: Annotated[list[str], typer.Option("--scope", help="A right the person has; repeat it for more.")],
    days: Annotated[float, typer.Option(min=0.0, max=366.0, help="How long it holds.")] = 90.0,
    who: Annotated[str, typer.Option("--as", help="They themselves, or an admin; the password is asked for.")] = "",
    store: Store = PLACE,
) -> None:
    """Make a token for the console and print it, the only time it can be seen: `Authorization: Bearer TOKEN`. It does
    what its scopes say and the person may: read, order, respond and so on, and never signs in or decides.
    """
    with opened(store) as (control, _, now):
        signed_in(control, who or person, now)
        typer.echo(control.keys.lend(person, tuple(scope), who or person, now, expires=now + days * 86400.0))


@app.command(name="list")
def show(store: Store = PLACE) -> None:
    """Every key without its secret: kid, name, group, scopes, made, until, revoked, last used, in place of which, and
    whose programs it is for.
    """
    with opened(store) as (control, _, _):
        for key in control.keys.all():
            times = (when(key.created), when(key.expires), when(key.revoked), when(key.used))
            rest = (*times, key.follows or "-", key.person or "-")
            typer.echo("\t".join((key.kid, key.name, key.group or "-", ",".join(key.scopes), *rest)))


@app.command()
def rotate(
    kid: Kid,
    overlap: Annotated[
        str, typer.Option(help="For how long the old one still holds: 24h, 30m, 7d; 0 ends it at once.")
    ] = "24h",
    store: Store = PLACE,
) -> None:
    """Make a key in place of another and print it, the only time it can be seen; the old one holds on for a while."""
    with opened(store) as (control, me, now):
        typer.echo(control.keys.rotate(kid, me, now, overlap=duration(overlap)))


@app.command()
def revoke(kid: Kid, store: Store = PLACE) -> None:
    """End a key for good."""
    with opened(store) as (control, me, now):
        control.keys.revoke(kid, me, now)
    typer.echo(f"revoked {kid}")
