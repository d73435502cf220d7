"""`temper verify`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def command(
    manifest: Annotated[Path, typer.Argument(help="The signed manifest.")],
    public_key: Annotated[Path, typer.Option("--public-key", help="The public key of whoever signed it.")],
) -> None:
    """Hold files against their signed manifest: nothing changed, nothing missing, nothing added."""
    from temper.targets.signature import verify

    found = verify(manifest, public_key, datetime.now(UTC).date())
    typer.echo(f"{len(found.files):,} file(s) are as they were signed")
