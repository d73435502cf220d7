"""`temper redteam`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options

Strategies = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only these strategies: injection.genetic,injection.tree.", callback=options.words),
]


def command(
    config: options.Config = Path("temper.yaml"),
    suite: options.Suite = "standard",
    only: Strategies = None,
    seed: options.Seed = 0,
    resume: options.Resume = False,
    fresh: options.Fresh = False,
    json: options.Json = False,
    allow_inconclusive: options.Lenient = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Add trials in rounds and stop when the policy's claims are decided.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would ask for, and ask nothing.")] = False,
) -> None:
    """Red team an assistant: prompt injection by users and by what it reads, judged against the policy."""
    from temper.cli._run import run_assistant

    if dry_run:
        from temper.api import assistants

        typer.echo(assistants.estimate(assistants.load_assistant(config), suite, only, stop))
        return
    run_assistant(config, suite, only, json, allow_inconclusive, seed=seed, resume=resume, fresh=fresh, stop=stop)
