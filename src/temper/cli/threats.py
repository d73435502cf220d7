"""`temper threats`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened

Risks = Annotated[bool, typer.Option("--risk", help="The risk register, as everything kept of the system says now.")]


def command(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    out: Annotated[
        Path | None, typer.Option(help="Write it too: .html (picture and matrix), .svg (the picture alone) or .json.")
    ] = None,
    risk: Risks = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON on standard output.")] = False,
    store: Store = PLACE,
    trust_pickle: options.Trust = False,
) -> None:
    """Show what can go wrong: concerns with because, tests, evidence and controls, and what nobody has answered."""
    from temper.api.threats import threats
    from temper.report.threats import document, save, show

    if risk:
        return _risk(config, store, json, trust_pickle=trust_pickle)
    found = threats(config, trust_pickle=trust_pickle)
    if json:
        typer.echo(document(found), nl=False)
    else:
        show(found)
    if out is not None:
        save(found, out)
        typer.echo(f"wrote {out}", err=json)


def _risk(config: Path, store: str, json: bool, *, trust_pickle: bool) -> None:
    from temper.api.threats import risk
    from temper.report.risk import show_register
    from temper.store.codec import dump, to_json

    with opened(store) as (control, _, now):
        found = risk(config, control, now, trust_pickle=trust_pickle)
    typer.echo(to_json(dump(found))) if json else show_register(found)
