"""`temper console`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options
from temper.cli._beside import Worker, beside

if TYPE_CHECKING:
    from temper.guard.serving.bench import Corruptions


def command(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    host: Annotated[
        str, typer.Option(help="Where to listen; elsewhere than on this machine only with a certificate.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 8081,
    metrics: Annotated[
        str, typer.Option(help="Where the gateway tells its figures; empty for none.")
    ] = "http://127.0.0.1:8080/metrics",
    certificate: Annotated[Path | None, typer.Option(help="The certificate chain of this host, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    log_format: Annotated[str, typer.Option(help="What a line of the log on stderr is: text or json.")] = "text",
    log_level: Annotated[str, typer.Option(help="The least that is logged: info, warning or error.")] = "info",
    portfolio: Annotated[Path | None, typer.Option(help="The portfolio.yaml of the systems on the fleet page.")] = None,
    workbench: Annotated[
        Path | None, typer.Option(help="A temper.yaml whose model, or guard, people may try by hand; none without it.")
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Let people at the workbench ask an assistant itself, not only its guard.")
    ] = False,
    worker: Worker = True,
    trust_pickle: options.Trust = False,
) -> None:
    """One application for the whole loop in a browser: runs and findings, cases to decide, monitoring, incidents."""
    from contextlib import nullcontext

    from temper.config.reading import read
    from temper.config.serving import serving_of
    from temper.gateway.log import Signals, logged
    from temper.guard.serving.parts import PARTS
    from temper.web.serve import opened, serve

    bench = None if workbench is None else opened(workbench, _corruptions, asked=ask, trust_pickle=trust_pickle)
    how = Signals(form=log_format, level=log_level)
    if how.form == "text":
        typer.echo(f"console: {'https' if certificate else 'http'}://{host}:{port} (Ctrl-C ends it)", err=True)
    place = serving_of(read(config), config.absolute().parent).control
    with logged(how), beside(place, trust_pickle=trust_pickle) if worker else nullcontext():
        serve(config, host, port, metrics, certificate, key, PARTS, portfolio, bench)


def _corruptions() -> Corruptions:
    """What a workbench may do to pictures: loaded only where a model takes some."""
    from temper.api.probes import corruptions

    return corruptions()
