"""`temper approve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, signed_in


def command(
    run: options.Run,
    who: Annotated[str, typer.Option("--as", help="Who approves it; their password is asked for.")],
    key: Annotated[Path, typer.Option(help="Their private key; it is read here and goes nowhere.")],
    reason: Annotated[str, typer.Option(help="Why, in a few words; it is signed too.")],
    despite: Annotated[str, typer.Option(help="The verdict, where it is not PASS and that is meant: fail.")] = "",
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Approve a run that somebody else had made and put up: the run to the byte, its model and verdict, signed."""
    from temper import api
    from temper.store.evidence.approving import approve
    from temper.store.ledger.checkpoint import private_key

    secret = private_key(key)
    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        kept = api.open_store(config.parent)
        done = approve(kept, control, run, who, reason, secret, now, despite=despite.lower())
    missing = done.needs - len(done.approvers)
    words = f"{missing} more approval(s) wanted" if done.state == "open" else done.state
    typer.echo(f"run {done.about.run}, model {done.about.model[:12]}: {words}; by {', '.join(done.approvers)}")
