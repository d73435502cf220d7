"""`temper results`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    file: Annotated[Path, typer.Argument(help="A report of garak, PyRIT, promptfoo or AgentDojo.")],
    out: Annotated[Path | None, typer.Option(help="Write a report too: .html, .json, .xml or .sarif.")] = None,
) -> None:
    """Read the results of another red team tool: attack success with intervals, errors never as safe."""
    from temper.api import assistants
    from temper.report.guards import show_figures

    run = assistants.results(file)
    show_figures(run.record, run.report(out) if out else None)
