"""`temper audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened

app = typer.Typer(
    help="What an auditor gets: why the system may be relied on, and the evidence for it.", no_args_is_help=True
)


@app.command()
def case(
    run: Annotated[str, typer.Argument(help="The run: its number, or `last`: the newest that has finished.")] = "last",
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    out: Annotated[
        Path | None, typer.Option(help="Write it too: .html (with picture), .svg (the picture alone) or .json.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON on standard output.")] = False,
    store: Store = PLACE,
    trust_pickle: options.Trust = False,
) -> None:
    """Show the assurance case of a run: claims, arguments, evidence in the ledger, and every defeater that is open;
    exit 1 while the whole is not supported.
    """
    from temper.api.assurance import assurance_case
    from temper.core.assurance import State
    from temper.report.assurance import document, save, show

    with opened(store) as (control, _, now):
        found = assurance_case(config, run, control, now, trust_pickle=trust_pickle)
    typer.echo(document(found), nl=False) if json else show(found)
    if out is not None:
        save(found, out)
        typer.echo(f"wrote {out}", err=json)
    raise typer.Exit(0 if found.state(found.top.id) is State.SUPPORTED else 1)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write: one zip, the same bytes for the same evidence.")],
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
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
