"""`temper threats`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened

if TYPE_CHECKING:
    from temper.core.system import Protected

Risks = Annotated[bool, typer.Option("--risk", help="The risk register, as everything kept of the system says now.")]


def command(
    config: options.Config = Path("temper.yaml"),
    risk: Risks = False,
    json: Annotated[bool, typer.Option("--json", help="With --risk: print it as JSON.")] = False,
    store: Store = PLACE,
    trust_pickle: options.Trust = False,
) -> None:
    """Show the scenarios of this system with their because, and what was left out with its why not."""
    from temper import api

    system = api.load(config, trust_pickle=trust_pickle)
    if risk:
        return _risk(system, store, json)
    from temper.report.terminal import show_threats
    from temper.threats.rules import scenarios

    kept, left_out = scenarios(system)
    show_threats(kept, left_out)


def _risk(system: Protected, store: str, json: bool) -> None:
    from temper import api
    from temper.engine.risk import risk_now
    from temper.report.risk import show_register
    from temper.store.codec import dump, to_json

    with opened(store) as (control, _, now):
        found = risk_now(system, api.open_store(None, system), control, now)
    typer.echo(to_json(dump(found))) if json else show_register(found)
