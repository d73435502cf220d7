"""The command line: one file per command, no logic."""

from __future__ import annotations

import importlib
import sys

import typer

COMMANDS = (
    "demo",
    "init",
    "threats",
    "assess",
    "attack",
    "stress",
    "fuzz",
    "redteam",
    "serve",
    "console",
    "deploy",
    "worker",
    "backup",
    "restore",
    "validate",
    "harden",
    "compare",
    "history",
    "replay",
    "report",
    "results",
    "list",
    "sign",
    "verify",
    "approve",
    "publish",
    "check",
    "learn",
    "doctor",
)
GROUPS = (
    "ledger",
    "drill",
    "keys",
    "people",
    "reviews",
    "policy",
    "respond",
    "incidents",
    "monitor",
    "jobs",
    "approvals",
    "waivers",
    "audit",
)
"""Commands with commands of their own."""

app = typer.Typer(
    name="temper",
    help="Harden machine-learning models and test their robustness: attack, judge, fix, prove.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _name in COMMANDS:
    app.command(_name)(importlib.import_module(f"temper.cli.{_name}").command)
for _name in GROUPS:
    app.add_typer(importlib.import_module(f"temper.cli.{_name}").app, name=_name)


def _print_version(wanted: bool) -> None:
    if wanted:
        from temper import __version__

        typer.echo(f"temper {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(False, "--version", is_eager=True, callback=_print_version, help="Print the version."),
) -> None:
    """Harden machine-learning models and test their robustness: attack, judge, fix, prove."""


def main() -> None:
    """Run the command line; every problem is one sentence, never a traceback."""
    from temper.cli._fail import explain

    try:
        app()
    except Exception as error:
        sys.exit(explain(error))


if __name__ == "__main__":
    main()
