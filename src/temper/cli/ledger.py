"""`temper ledger`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _control
from temper.cli import _options as options
from temper.core.errors import TemperError

app = typer.Typer(
    help="The audit ledger of a gateway, and that of a system's evidence: check, read, sign, erase.",
    no_args_is_help=True,
)
Where = Annotated[Path, typer.Argument(help="The folder of the ledger, or one audit-NODE-WORKER.db of it.")]
Marks = Annotated[Path | None, typer.Option(help="The folder of signed checkpoints, or the file of one log.")]
Public = Annotated[Path | None, typer.Option(help="The public key of whoever signs them.")]
Private = Annotated[Path, typer.Option(help="The private key of the ledger; `temper sign --new-key` makes one.")]
Number = Annotated[int | None, typer.Option(help="One record by its number: to be proved, or shown alone.")]
Persons = Annotated[Path, typer.Argument(help="The folder of the ledger, or the personal.db in it.")]
Cases = Annotated[
    str,
    typer.Option(
        envvar="TEMPER_CONTROL",
        help="The control store with their cases: a file or a postgresql:// URL; else control.db beside the ledger.",
    ),
]
Evidence = Annotated[
    str,
    typer.Option(envvar="TEMPER_CONTROL", help="With a `.temper`: the control store; else control.db in it, if any."),
]
With = Annotated[bool, typer.Option("--cases/--no-cases", help="Whether the rows in their cases go too.")]
Subjects = Annotated[
    list[str],
    typer.Option(
        help="Whose data: CLIENT:SUBJECT as the client named the person, or the id of a request that named nobody. "
        "May be given several times."
    ),
]


@app.command()
def verify(
    path: Where = Path(".temper"),
    checkpoints: Marks = None,
    key: Public = None,
    record: Number = None,
    store: Evidence = "",
    runs: options.Runs = "",
) -> None:
    """Hold a ledger against itself and its checkpoints: nothing changed, nothing missing, nothing out of order. The
    `.temper` of a system: its runs too, and what people did; what was changed makes it read-only.
    """
    from temper.config.keeping import kept_in
    from temper.store.evidence import held
    from temper.store.ledger import inspect

    if (folder := held.home(path) or (path if runs else None)) is not None:
        holds, told = held.verified(folder, store, time.time(), kept_in(folder.absolute().parent)[0])
    else:
        holds, told = inspect.verified(path, checkpoints, key, record)
    typer.echo("\n".join(told))
    raise typer.Exit(0 if holds else 1)


@app.command()
def show(
    path: Where, record: Number = None, last: Annotated[int, typer.Option(help="How many from the end.")] = 10
) -> None:
    """Print records, one JSON document a line; bytes are written in base64."""
    from temper.store.ledger import inspect

    for line in inspect.shown(path, record, last):
        typer.echo(line)


@app.command()
def checkpoint(
    path: Where, key: Private, to: Annotated[Path, typer.Option(help="The folder of checkpoints, on another disk.")]
) -> None:
    """Check a ledger and sign what is there now."""
    from temper.store.ledger import inspect

    for line in inspect.signed(path, key, to):
        typer.echo(line)


@app.command()
def replay(path: Where, config: options.Config = Path("temper.yaml")) -> None:
    """Make decisions again whose input was kept, under the model and the policy that are live now; exit 1 where one
    comes out differently.
    """
    from temper.gateway.tables.replay import replayed

    found = replayed(path, config)
    typer.echo("\n".join(found.told()))
    raise typer.Exit(1 if found.different else 0)


@app.command("open")
def read(
    path: Persons, commitment: Annotated[str, typer.Argument(help="As `temper ledger show` writes it.")], key: Private
) -> None:
    """Print what was kept beside the ledger under a commitment: the words of an exchange, the rows of a case."""
    from temper.store.ledger import inspect

    typer.echo(inspect.opened(path, commitment, key))


@app.command()
def erase(path: Persons, subject: Subjects, key: Private, store: Cases = "", cases: With = True) -> None:
    """Delete a person's key and all that was kept of them, for good, and the rows in their cases. The ledger keeps its
    commitments, and its proofs stay valid; what people decided stays too.
    """
    from temper.store.ledger import inspect

    folder = path if path.is_dir() else path.parent
    for line in inspect.erased(path, subject, key, partial(_cases, folder, store) if cases else None):
        typer.echo(line)


def _cases(folder: Path, store: str, names: Sequence[str]) -> int:
    """Erase the rows in these cases; the control store is beside the ledger, or has to be named."""
    place = store or str(folder.absolute().parent / "control.db")
    if "://" not in place and not Path(place).exists():
        raise TemperError(
            f"{len(names)} case(s) hold rows of this person, and there is no control store at {place}",
            fix="name it with --store or TEMPER_CONTROL, as in guard.control; --no-cases where it is gone",
        )
    with _control.opened(place) as (control, by, now):
        return control.reviews.erase(names, by, now)
