"""What `assess` and the one-room commands do: assess, show, write the report, exit with the verdict's code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer


def run(
    config: Path, suite: str, only: Sequence[str] | None, json: bool, lenient: bool, trust: bool, **more: Any
) -> None:
    """Assess the system of `config` and leave with its verdict."""
    from temper import api
    from temper.report.progress import Progress

    system = api.load(config, trust_pickle=trust)
    with Progress(quiet=json) as progress:
        result = api.assess(system, suite, only, listener=progress, **more)
    _end(result, config, json, lenient)


def run_assistant(config: Path, suite: str, only: Sequence[str] | None, json: bool, lenient: bool, **more: Any) -> None:
    """Red team the assistant of `config` and leave with its verdict."""
    from temper.api import assistants
    from temper.report.progress import Progress

    assistant = assistants.load_assistant(config)
    with Progress(quiet=json) as progress:
        result = assistants.redteam(assistant, suite, only, listener=progress, **more)
    _end(result, config, json, lenient)


def run_campaign(
    config: Path,
    suite: str,
    only: Sequence[str] | None,
    json: bool,
    lenient: bool,
    trust: bool,
    *,
    dry_run: bool,
    **more: Any,
) -> None:
    """Wage the campaign of `config` against its table model and leave with the verdict."""
    from temper import api
    from temper.api import campaigns
    from temper.report.progress import Progress

    system = api.load(config, trust_pickle=trust)
    if dry_run:
        typer.echo(campaigns.described(system, suite, only or ()))
        return
    with Progress(quiet=json) as progress:
        result = campaigns.redteam(system, suite, only, listener=progress, **more)
    _end(result, config, json, lenient)


def run_abuse(
    config: Path, suite: str, only: Sequence[str] | None, json: bool, lenient: bool, *, dry_run: bool, **more: Any
) -> None:
    """Wage the campaign of `config` against its assistant's tools and leave with the verdict."""
    from temper.api import assistants, campaigns
    from temper.report.progress import Progress

    assistant = assistants.load_assistant(config)
    if dry_run:
        typer.echo(campaigns.described(assistant, suite, only or ()))
        return
    with Progress(quiet=json) as progress:
        result = campaigns.redteam(assistant, suite, only, listener=progress, campaign=True, **more)
    _end(result, config, json, lenient)


def _end(result: Any, config: Path, json: bool, lenient: bool) -> None:
    """Write the report, show the run, leave with its code."""
    path = result.report(config.parent / "runs" / result.record.id / "report.html")
    if json:
        from temper.report import render

        typer.echo(render(result.record, "json"))
    else:
        show(result.record, path)
    leave(result.record, lenient)


def show(record: Any, path: Path | None) -> None:
    """The run on the terminal, with what to do next."""
    from temper.report.terminal import show as show_run

    show_run(record, report=path)


def leave(record: Any, lenient: bool) -> None:
    """Exit with the code of the verdict; a run that was stopped could not finish."""
    sys.stdout.flush()
    raise typer.Exit(0 if record.code == 3 and lenient else record.code)
