"""`temper audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened

app = typer.Typer(help="What an auditor gets.", no_args_is_help=True)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write: one zip, the same bytes for the same evidence.")],
    config: options.Config = Path("temper.yaml"),
    store: Store = PLACE,
    key: Annotated[
        Path | None, typer.Option(help="Sign its manifest with this private key, beside it as .sig.json.")
    ] = None,
) -> None:
    """Write ledger, runs, approvals, policies, keys and reports as one bundle that verifies itself without Temper."""
    from temper import api
    from temper.engine.audit import export as exported

    with opened(store) as (control, _, now):
        for line in exported(config, api.open_store(config.parent), control, out, key, now):
            typer.echo(line)
