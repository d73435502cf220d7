"""`temper console`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options


def command(
    config: options.Config = Path("temper.yaml"),
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
) -> None:
    """Show people the cases they are to decide, and operators their switches, in a browser."""
    from temper.gateway.log import Signals, logged
    from temper.gateway.tables.parts import PARTS
    from temper.web.serve import serve

    how = Signals(form=log_format, level=log_level)
    if how.form == "text":
        typer.echo(f"console: {'https' if certificate else 'http'}://{host}:{port} (Ctrl-C ends it)", err=True)
    with logged(how):
        serve(config, host, port, metrics, certificate, key, PARTS)
