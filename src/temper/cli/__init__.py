"""The command line: one file per command, no logic."""

from __future__ import annotations

import importlib
import os
import sys
from copy import copy

import typer
from typer.models import TyperInfo

COMMANDS = (
    "demo",
    "init",
    "threats",
    "assess",
    "attack",
    "stress",
    "fuzz",
    "redteam",
    "layers",
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
    "fleet",
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
    "probe",
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


def _needed(word: str = "--help") -> typer.Typer:
    """The part of the command line that this first word needs: to build the options of every command, and of every
    group's, is most of a start. Whoever completes words by the tab key needs all of it.
    """
    if "_TEMPER_COMPLETE" in os.environ:
        return app
    needed = copy(app)
    if word in COMMANDS or word in GROUPS:
        needed.registered_commands = [one for one in app.registered_commands if one.name == word]
        needed.registered_groups = [one for one in app.registered_groups if one.name == word]
    elif word in ("-h", "--help"):
        needed.registered_groups = [_closed(one) for one in app.registered_groups]
    return needed


def _closed(group: TyperInfo) -> TyperInfo:
    """A group of which only the name and what it is for are shown."""
    closed = copy(group)
    closed.typer_instance = copy(group.typer_instance)
    if closed.typer_instance is not None:
        closed.typer_instance.registered_commands = []
        closed.typer_instance.registered_groups = []
    return closed


def main() -> None:
    """Run the command line; every problem is one sentence, never a traceback."""
    from temper.cli._fail import explain

    try:
        _needed(*sys.argv[1:2])()
    except Exception as error:
        sys.exit(explain(error))


if __name__ == "__main__":
    main()
