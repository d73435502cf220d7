"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _complete as complete

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The temper.yaml of the system.", autocompletion=complete.systems)
]
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
Lenient = Annotated[bool, typer.Option("--allow-inconclusive", help="Exit 0 when the verdict is INCONCLUSIVE.")]
Trust = Annotated[bool, typer.Option("--trust-pickle", help="Load a pickle, after a scan. A pickle can run any code.")]
