"""`temper harden`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from temper.cli import _complete as complete
from temper.cli import _options as options


def command(
    finding: Annotated[
        str | None,
        typer.Option("--for", help="Harden against this finding only.", autocompletion=complete.findings),
    ] = None,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the hardened system.")] = None,
    engine: options.Engine = "processes",
    trust_pickle: options.Trust = False,
) -> None:
    """Try the defences (of an assistant: the guard), attack again from scratch, keep the best by policy."""
    from temper import api
    from temper.api import assistants
    from temper.report.guards import show_guards
    from temper.report.progress import Progress
    from temper.report.terminal import show_hardening

    folder = out or config.parent / "hardened"
    with Progress() as progress:
        if assistants.is_assistant(config):
            assistant = assistants.load_assistant(config)
            last = api.Run(api.open_store(None, assistant).run("last"))
            better: Any = assistants.harden(assistant, last, finding=finding, listener=progress)
            saved = assistants.save_hardened(better, folder) if better.taken else None
        else:
            system = api.load(config, trust_pickle=trust_pickle)
            last = api.Run(api.open_store(None, system).run("last"))
            better = api.harden(system, last, finding=finding, engine=engine, listener=progress)
            saved = api.save_hardened(better, folder) if better.taken else None
    report = better.after.report(config.parent / "runs" / better.after.record.id / "report.html")
    (show_guards if assistants.is_assistant(config) else show_hardening)(better, saved, report)
