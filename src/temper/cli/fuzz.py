"""`temper fuzz`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options


def command(
    url: Annotated[str, typer.Argument(help="A service that answers rows of temper.yaml; without it the model.")] = "",
    config: options.Config = Path("temper.yaml"),
    suite: options.Suite = "standard",
    seed: options.Seed = 0,
    body: Annotated[str, typer.Option(help='"v2", or the JSON around $row or $rows.')] = "",
    answer: Annotated[str, typer.Option(help="Where scores are in an answer: predictions.*.score")] = "",
    key_env: Annotated[str, typer.Option(help="Environment variable that holds the service's key.")] = "",
    deadline: Annotated[float, typer.Option(help="Seconds after which a request counts as hanging.")] = 5.0,
    strict: Annotated[
        bool | None,
        typer.Option(
            help="Whether input outside of the schema must be refused; default: of a service, not of a model."
        ),
    ] = None,
    again: Annotated[
        Path | None, typer.Option("--replay", metavar="CASES", help="Show the cases of a cases.json again.")
    ] = None,
    host: Annotated[
        str, typer.Option("--yes-this-host", metavar="HOST", help="Ask this host, which is not this machine.")
    ] = "",
    ca: Annotated[Path | None, typer.Option(help="File of the certificates to trust.")] = None,
    start: Annotated[
        str, typer.Option(help="Command that runs the service: it is started here, and again for laws of order.")
    ] = "",
    json: options.Json = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Send the inputs at the edge, and show every law that breaks with the smallest case: exit 1 if one does."""
    import shlex

    from temper import api
    from temper.core.errors import TemperError
    from temper.engine.fuzz.command import replayed, run
    from temper.engine.fuzz.run import Asked

    if start and not url:
        raise TemperError(
            "--start runs a service, and no URL says where it is", fix="temper fuzz URL --start 'command'"
        )
    system = api.load(config, trust_pickle=trust_pickle)
    told = {"key_env": key_env, "body": body, "answer": answer, "confirmed": host, "ca": str(ca or "")}
    asked = Asked(url=url, deadline=deadline, start=tuple(shlex.split(start)), **told) if url else None
    if again is not None:
        raise typer.Exit(replayed(again, system, asked, host, typer.echo))
    code = run(
        system, config, asked, suite, seed,
        strict=strict, deadline=deadline, trusted=trust_pickle, json=json, out=typer.echo,
    )  # fmt: skip
    raise typer.Exit(code)
