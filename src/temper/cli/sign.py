"""`temper sign`."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer


def command(
    path: Annotated[
        Path | None, typer.Argument(help="A model file, or a folder with everything that belongs to it.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The private key that signs.")] = None,
    new_key: Annotated[
        Path | None, typer.Option("--new-key", help="Make a key pair NAME.key and NAME.pub first.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day of the new key.")] = None,
) -> None:
    """Write a signed manifest of a model: SHA-256 of every file, signed offline with Ed25519."""
    from temper.core.errors import TemperError
    from temper.targets import signature

    if new_key is not None:
        last: date | None = until.date() if until else None
        key, public = signature.new_key(new_key, last)
        typer.echo(f"{key} signs; keep it to yourself. {public} verifies; hand it out another way than the model.")
    if path is None:
        return
    if key is None:
        raise TemperError("there is no key to sign with", fix="give --key FILE, or make one with --new-key NAME")
    typer.echo(f"{signature.sign(path, key)} is signed")
