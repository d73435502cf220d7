"""`temper threats`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options


def command(
    config: options.Config = Path("temper.yaml"),
    out: Annotated[
        Path | None, typer.Option(help="Write it too: .html (picture and matrix), .svg (the picture alone) or .json.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON on standard output.")] = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Show what can go wrong: concerns with because, tests, evidence and controls, and what nobody has answered."""
    from temper.api.threats import threats
    from temper.report.threats import document, save, show

    found = threats(config, trust_pickle=trust_pickle)
    if json:
        typer.echo(document(found), nl=False)
    else:
        show(found)
    if out is not None:
        save(found, out)
        typer.echo(f"wrote {out}", err=json)
