"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _complete as complete

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The temper.yaml of the system.", autocompletion=complete.systems)
]
STORE = "TEMPER_STORE"
SUITES = complete.one_of("quick", "standard", "deep")
Suite = Annotated[str, typer.Option(help="How much work: quick, standard or deep.", autocompletion=SUITES)]
Run = Annotated[str, typer.Argument(help="The run: its number, or `last`.", autocompletion=complete.runs)]


def words(given: list[str] | None) -> list[str] | None:
    """Words that were repeated or written with commas between them."""
    return given and [word for one in given for part in one.split(",") if (word := part.strip())]


Only = Annotated[
    list[str] | None,
    typer.Option(
        help="Only these families or plugins: evasion,stress.missing, or repeat it.",
        callback=words,
        autocompletion=complete.plugins,
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of every random number of the run.")]
ENGINES = complete.one_of("serial", "processes", "ray")
Engine = Annotated[str, typer.Option(help="Where tasks run: serial, processes or ray.", autocompletion=ENGINES)]
Workers = Annotated[int | None, typer.Option(help="Worker processes; default one per core.")]
Address = Annotated[str | None, typer.Option(help="Address of a Ray cluster; default one on this machine.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the last run of this system.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Measure again what the store could answer.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON on standard output.")]


def named(context: typer.Context, place: str) -> str:
    """Where runs are kept is said to all that this command opens or starts by TEMPER_STORE, where no list of processes
    shows a password; until the command ends.
    """
    if not place or context.resilient_parsing:
        return place
    from temper.store.place import named as checked

    before, os.environ[STORE] = os.environ.get(STORE), checked(place)
    context.call_on_close(lambda: os.environ.pop(STORE) if before is None else os.environ.update({STORE: before}))
    return os.environ[STORE]


Runs = Annotated[
    str,
    typer.Option(
        "--runs",
        envvar=STORE,
        callback=named,
        show_default=False,
        help="Where runs are kept: a postgresql:// URL, a folder or a file. Default: as temper.yaml says, or beside.",
    ),
]
Lenient = Annotated[bool, typer.Option("--allow-inconclusive", help="Exit 0 when the verdict is INCONCLUSIVE.")]
Trust = Annotated[bool, typer.Option("--trust-pickle", help="Load a pickle, after a scan. A pickle can run any code.")]
