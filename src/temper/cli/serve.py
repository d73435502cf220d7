"""`temper serve`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options


def command(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    host: Annotated[
        str, typer.Option(help="Where to listen; elsewhere than on this machine only with keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 8080,
    init: Annotated[
        bool, typer.Option("--init", help="Write a first `guard:` from the last assessment, and end.")
    ] = False,
    log_format: Annotated[str, typer.Option(help="What a line of the log on stderr is: text or json.")] = "text",
    log_level: Annotated[str, typer.Option(help="The least that is logged: info, warning or error.")] = "info",
    workers: Annotated[int, typer.Option(min=1, help="A table model's: how many processes answer.")] = 1,
    node: Annotated[
        str,
        typer.Option(envvar="TEMPER_NODE", help="A table model's: the name of this gateway; else that of the machine."),
    ] = "",
    otlp: Annotated[str, typer.Option(help="A collector's address for spans of sampled requests (extra otel).")] = "",
    keys: Annotated[
        str, typer.Option(help="An assistant's: the environment variable with its clients' keys: name=key,name=key.")
    ] = "TEMPER_KEYS",
    per_minute: Annotated[
        float, typer.Option(help="An assistant's: questions a client may ask in a minute; 0 for no limit.")
    ] = 0.0,
    audit: Annotated[
        Path | None,
        typer.Option(help="An assistant's: the folder of its ledger; else as temper.yaml says."),
    ] = None,
) -> None:
    """Serve the model of temper.yaml behind its guard: a table model as JSON and Open Inference Protocol, an assistant
    as an OpenAI-compatible endpoint.

    First time: `temper serve --init`, then `temper keys add NAME`. It answers until Ctrl-C or SIGTERM, and follows
    temper.yaml meanwhile; what stands in `guard:`, and how to run it, is in docs/guides/operations.md.
    """
    from temper.api import assistants

    if init and not assistants.is_assistant(config):
        return _init(config)
    from temper.gateway.log import Signals

    how = Signals(form=log_format, level=log_level, otlp=otlp)

    def told(line: str) -> None:
        if how.form == "text":
            typer.echo(line, err=True)

    if not assistants.is_assistant(config):
        from temper.gateway.tables.build import serve as serve_tables

        return serve_tables(config, host, port, told=told, workers=workers, node=node, signals=how)
    _assistant(config, f"http://{host}:{port}/v1", told, keys, per_minute, audit)(host, port, signals=how)


def _assistant(
    config: Path, url: str, told: Callable[[str], None], keys: str, per_minute: float, audit: Path | None
) -> Callable[..., None]:
    """What serves the assistant of a temper.yaml; what was put together is told."""
    from temper.api import assistants
    from temper.gateway.app import proxy, serve

    assistant = assistants.load_assistant(config)
    guard = assistants.guard_of(assistant)
    allowed = assistants.keys_of(os.environ.get(keys, ""))
    kept = assistants.audit_of(assistant, audit)
    app = proxy(assistants.without_end(assistant), guard, allowed, per_minute=per_minute, audit=kept)
    told(f"{assistant.name} behind {', '.join(name for name, _ in assistant.guard)}: {url} (Ctrl-C ends it)")
    if app.audit is not None:
        told(f"policy {app.audit.policy[:12]}, every exchange in {app.audit.journal.path}")
    return partial(serve, app)


def _init(config: Path) -> None:
    from temper.config.system import load_system
    from temper.gateway.tables.init import init

    system = load_system(config)
    typer.echo(init(config, system.name, system.schema, system.exposure.returns), nl=False)
