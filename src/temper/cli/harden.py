"""`temper harden`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options


def command(
    finding: Annotated[str | None, typer.Option("--for", help="Harden against this finding only.")] = None,
    config: options.Config = Path("temper.yaml"),
    out: Annotated[Path | None, typer.Option(help="Folder of the hardened system.")] = None,
    engine: options.Engine = "processes",
    trust_pickle: options.Trust = False,
) -> None:
    """Try the defences, attack each from scratch, keep the best by policy, assess it again."""
    from temper import api
    from temper.report.progress import Progress
    from temper.report.terminal import show_hardening

    system = api.load(config, trust_pickle=trust_pickle)
    store = api.open_store(None, system)
    with Progress() as progress:
        better = api.harden(system, api.Run(store.run("last")), finding=finding, engine=engine, listener=progress)
    saved = api.save_hardened(better, out or config.parent / "hardened") if better.taken else None
    report = better.after.report(config.parent / "runs" / better.after.record.id / "report.html")
    show_hardening(better, saved, report)
