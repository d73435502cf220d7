"""What `temper stress URL` does: run it, show it while it runs, write the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer


def run(order: Mapping[str, Any], json: bool, script: str = "") -> None:
    """Leave with 0 where a knee was found or the plan held, with 1 where it did not; `order` is that of a LoadTest."""
    from temper.engine.load.order import LoadTest

    test = LoadTest(**order)
    if script:
        if script not in ("locust", "k6"):
            raise typer.BadParameter("--script is locust or k6")
        typer.echo(test.script(script))
        return
    from temper.report.load import document, held, page
    from temper.report.load_terminal import Watching, show

    try:
        with Watching(quiet=json) as watching:
            found = test.run(watching.line, watching.glance)
    except KeyboardInterrupt:
        typer.echo("stopped: no request is sent any more, and nothing is graded", err=True)
        raise typer.Exit(4) from None
    folder = (test.config.parent if test.config.exists() else Path()) / "runs" / "load"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.started[:19].replace(':', '').replace('-', '')}.html"
    path.write_text(page(found), encoding="utf-8")
    if json:
        typer.echo(document(found))
    else:
        show(found, path)
    raise typer.Exit(0 if held(found) else 1)
