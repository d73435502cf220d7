"""`temper people`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from temper.cli._control import PLACE, Store, opened, signed_in, when

app = typer.Typer(help="The people who sign in to the console of a gateway.", no_args_is_help=True)


class Rank(StrEnum):
    """The roles, as they are typed."""

    VIEWER = "viewer"
    TESTER = "tester"
    VALIDATOR = "validator"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"


Name = Annotated[str, typer.Argument(help="The name they sign in with.")]
Wanted = Annotated[Rank, typer.Option(help="What they may do.")]


@app.command()
def add(name: Name, role: Wanted = Rank.VIEWER, store: Store = PLACE) -> None:
    """Let somebody in; the password is asked for twice and never shown."""
    from temper.core.review import Role

    password = _asked()
    with opened(store) as (control, me, now):
        control.people.add(name, Role[role.name], password, me, now)
    typer.echo(f"added {name} as {role}")


@app.command()
def role(
    name: Name, role: Annotated[Rank, typer.Argument(help="What they may do from now on.")], store: Store = PLACE
) -> None:
    """Give somebody another role: their sessions end, cases they hold go back. The last admin stays one."""
    from temper.core.review import Role

    with opened(store) as (control, me, now):
        control.people.set_role(name, Role[role.name], me, now)
    typer.echo(f"{name} is {role} now")


@app.command()
def password(name: Name, store: Store = PLACE) -> None:
    """Give somebody a new password, asked for twice; their sessions end."""
    secret = _asked()
    with opened(store) as (control, me, now):
        control.people.set_password(name, secret, me, now)
    typer.echo(f"changed the password of {name}")


@app.command()
def key(
    name: Name,
    public: Annotated[Path | None, typer.Argument(help="Their public key, of `temper sign --new-key`.")] = None,
    who: Annotated[str, typer.Option("--as", help="They themselves, or an admin; the password is asked for.")] = "",
    end: Annotated[bool, typer.Option("--end", help="Take nothing new from their key: it was lost.")] = False,
    store: Store = PLACE,
) -> None:
    """Say which key somebody signs approvals with; their key before ends. What it signed stays signed."""
    from temper.core.errors import TemperError
    from temper.store.ledger.checkpoint import public_key

    if (public is None) != end:
        raise TemperError("give a public key, or --end", fix="temper people key NAME NAME.pub")
    with opened(store) as (control, _, now):
        signed_in(control, who or name, now)
        if public is None:
            control.signers.end(name, who or name, now)
        else:
            control.signers.add(name, public_key(public).hex(), who or name, now)
    typer.echo(f"the key of {name} has ended" if public is None else f"{name} signs with {public}")


@app.command(name="list")
def show(store: Store = PLACE) -> None:
    """Everybody: name, role, since when, disabled or not."""
    with opened(store) as (control, _, _):
        for person in control.people.all():
            state = "disabled" if person.disabled else "active"
            typer.echo("\t".join((person.name, person.role.label, when(person.created), state)))


@app.command()
def disable(name: Name, store: Store = PLACE) -> None:
    """Shut somebody out at once: sessions end, and cases they hold go back to the queue."""
    with opened(store) as (control, me, now):
        control.people.disable(name, me, now)
    typer.echo(f"disabled {name}")


def _asked() -> str:
    return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
