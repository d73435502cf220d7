"""`temper compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _complete as complete
from temper.cli import _options as options


def command(
    before: Annotated[str, typer.Argument(help="The earlier run.", autocompletion=complete.runs)],
    after: Annotated[str, typer.Argument(help="The later run, or `last`.", autocompletion=complete.runs)] = "last",
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
) -> None:
    """Set two runs side by side: what is new, fixed, unchanged, not comparable; red teams attempt by attempt."""
    from temper import api
    from temper.api import assistants
    from temper.report.pairs import show_pairs
    from temper.report.terminal import show_comparison

    store = api.open_store(config.parent)
    old, new = store.run(before), store.run(after)
    compared, paired = api.compare(old, new), assistants.pairs(store, old, new)
    show_comparison(old, new, compared) if paired is None else show_pairs(old, new, paired, compared)
