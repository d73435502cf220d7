"""`temper replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _complete as complete
from temper.cli import _options as options


def command(
    finding: Annotated[
        str, typer.Argument(help="The id of a finding, such as F-7c1e.", autocompletion=complete.findings)
    ],
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    trust_pickle: options.Trust = False,
) -> None:
    """Show a finding again on the model as it is now; exit 1 while it is still there, 0 when it is fixed."""
    from temper import api
    from temper.api import assistants

    if assistants.is_assistant(config):
        outcome = assistants.replay(assistants.load_assistant(config), finding)
    else:
        outcome = api.replay(api.load(config, trust_pickle=trust_pickle), finding)
    typer.echo(outcome.text)
    raise typer.Exit(1 if outcome.still_there else 0)
