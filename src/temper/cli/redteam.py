"""`temper redteam`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options

Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        help="Only these techniques, or of an assistant strategies: direct,steal or injection.genetic,injection.tree.",
        callback=options.words,
    ),
]


def command(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    suite: options.Suite = "standard",
    only: Strategies = None,
    seed: options.Seed = 0,
    resume: options.Resume = False,
    fresh: options.Fresh = False,
    json: options.Json = False,
    allow_inconclusive: options.Lenient = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Assistants: trials in rounds, until the policy's claims are decided.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and ask nothing.")] = False,
    purple: Annotated[
        bool, typer.Option("--purple", help="Tables: what guard, monitor and playbooks would have seen, and when.")
    ] = False,
    campaign: Annotated[
        bool, typer.Option("--campaign", help="Assistants: from an injection to its tools, as campaign: says.")
    ] = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Red team a table model behind its guard, or an assistant, as campaign: or assistant: of temper.yaml says."""
    from temper.api.assistants import is_assistant
    from temper.cli._run import run_abuse, run_assistant, run_campaign

    common = {"seed": seed, "resume": resume, "fresh": fresh}
    if not is_assistant(config):
        if stop:
            raise typer.BadParameter("--stop is for assistants; campaign: rules: says when a campaign stops")
        run_campaign(
            config, suite, only, json, allow_inconclusive, trust_pickle, dry_run=dry_run, purple=purple, **common
        )
        return
    if purple:
        raise typer.BadParameter("--purple is for table models")
    if campaign:
        if stop:
            raise typer.BadParameter("--stop goes without --campaign; campaign: rules: says when it stops")
        run_abuse(config, suite, only, json, allow_inconclusive, dry_run=dry_run, **common)
        return
    if dry_run:
        from temper.api import assistants

        typer.echo(assistants.estimate(assistants.load_assistant(config), suite, only, stop))
        return
    run_assistant(config, suite, only, json, allow_inconclusive, stop=stop, **common)
