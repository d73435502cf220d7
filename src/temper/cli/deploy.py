"""`temper deploy`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.core.errors import TemperError

_NEXT = {
    "shadow": "temper deploy --status says how many decisions would be others, and whose",
    "canary": "temper deploy --status holds both against each other; temper deploy --rollback ends the trial",
    "live": "gateways follow within seconds; temper deploy --rollback goes back to the one before",
}


def command(
    model: Annotated[Path | None, typer.Argument(help="The file of the new version.")] = None,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    shadow: Annotated[bool, typer.Option("--shadow", help="It scores along, and nobody is answered by it.")] = False,
    canary: Annotated[str, typer.Option(help="It answers this share of the clients, as 10%.")] = "",
    live: Annotated[bool, typer.Option("--live", help="It answers everybody.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="End the trial, or go back to the one before.")] = False,
    status: Annotated[
        bool, typer.Option("--status", help="What is live, what is on trial, how it does, and advice.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the change.")] = "deployed at the command line",
) -> None:
    """Bring a new version of a served model to its gateways, which follow without a restart, or take it back."""
    import getpass

    from temper.gateway.tables import deploy

    asked = [name for name, wanted in (("shadow", shadow), ("canary", canary), ("live", live)) if wanted]
    if len(asked) + rollback + status != 1 or (model is None) == bool(asked):
        raise TemperError(
            "deploy does one thing", fix="MODEL with --shadow, --canary 10% or --live; or --rollback; or --status"
        )
    by = getpass.getuser()
    if status:
        typer.echo("\n".join(deploy.status(config, time.time())))
    elif rollback:
        typer.echo(f"live: {deploy.rollback(config, by, reason, time.time())}")
        typer.echo(
            "next: gateways follow within seconds; temper deploy --status says what is on trial and what was before"
        )
    elif model is not None:
        share = _share(canary) if canary else 1.0
        digest = deploy.deploy(config, model, asked[0], share, by, reason, time.time())
        typer.echo(f"{asked[0]}: {model.name} ({digest[:12]})")
        typer.echo(f"next: {_NEXT[asked[0]]}")


def _share(text: str) -> float:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise TemperError(f"--canary {text!r} is no share", fix="write it as 10%") from None
