"""`temper init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    model: Annotated[str, typer.Option(help="A model file, `pkg.module:callable`, or an http(s) URL.")],
    data: Annotated[Path, typer.Option(help="Held-out rows: a parquet, CSV or TSV table.")],
    target: Annotated[str, typer.Option(help="The column with the truth.")],
    train: Annotated[Path | None, typer.Option(help="Training rows, for poisoning, membership and hardening.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Operating threshold on the score of class 1.")] = None,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("temper.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite it.")] = False,
    policy: Annotated[
        str, typer.Option(help="A policy to start from, copied beside it; `temper policy templates` lists them.")
    ] = "default",
) -> None:
    """Write a temper.yaml for your own model; guesses are marked, open questions listed."""
    from temper.config.init import write
    from temper.threats.questions import asked_at_first

    asked = tuple(asked_at_first())
    text = write(model, data, target, out, train=train, threshold=threshold, force=force, asked=asked, policy=policy)
    guesses = text.count("# guessed")
    typer.echo(
        f"wrote {out}: {len(text.splitlines())} lines, {guesses} guesses marked; the open questions are at its top"
    )
    typer.echo("next: answer what you can, then  temper assess --suite quick")
