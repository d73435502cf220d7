"""`temper history`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened


def command(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    json: options.Json = False,
    trust_pickle: options.Trust = False,
    lineage: Annotated[
        str, typer.Option(help="One run instead: data, code, model, ledger, approvals, deployments.")
    ] = "",
) -> None:
    """Every run of this system, the newest first: when, verdict, model, what of its evidence is stale; and why."""
    from temper.monitoring.triggers import validation_of
    from temper.report.history import document, lines, stale_lines
    from temper.store.codec import dump, to_json

    if lineage:
        from temper import api
        from temper.report._inert import inert
        from temper.store.evidence.lineage import lineage as links

        kept = api.open_store(config.parent)
        with opened(store) as (control, _, _):
            for one in links(kept, control, kept.run(lineage)):
                typer.echo(f"{one.kind:<12}{': '.join(filter(None, map(inert, (one.told, one.digest))))}")
        return
    with opened(store) as (control, _, now):
        today = datetime.fromtimestamp(now, UTC).date()
        found = validation_of(config, control, trust_pickle=trust_pickle, today=today)
        known, stale = found.stale(now)
        made = found.runs()
    if json:
        typer.echo(to_json({"runs": [document(run, known, stale) for run in made], "stale": dump(stale)}))
    else:
        typer.echo("\n".join([*lines(made, known, stale), *stale_lines(stale)]))
