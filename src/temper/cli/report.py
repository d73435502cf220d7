"""`temper report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _complete as complete
from temper.cli import _options as options
from temper.cli import _triggers
from temper.cli._control import PLACE, Store

FORMS = (
    *("html", "json", "junit", "sarif", "mlbom", "card", "intoto", "text", "markdown", "certificates"),
    *("pytest", "promptfoo", "garak"),
)
FORMATS = {".json": "json", ".xml": "junit", ".sarif": "sarif", ".txt": "text", ".md": "card"}


def command(
    run: options.Run = "last",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="html, json, junit, sarif, mlbom, card, intoto, text, markdown or certificates; of an assistant "
            "pytest or promptfoo: its attacks as tests, or garak: every attempt. Default by the ending of --out.",
            autocompletion=complete.one_of(*FORMS),
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; default standard output.")] = None,
    config: options.Config = Path("temper.yaml"),
    key: Annotated[Path | None, typer.Option(help="With intoto: sign it with this private key (DSSE).")] = None,
    control: Store = PLACE,
    trust_pickle: options.Trust = False,
) -> None:
    """Write the report of a run; of HTML, with what of it is stale today, and what renews that."""
    from temper import api
    from temper.api import assistants
    from temper.report import render

    store = api.open_store(config.parent)
    record, form = store.run(run), form or FORMATS.get(out.suffix if out else "", "html")
    if form in ("pytest", "promptfoo", "garak"):
        text = assistants.cases(assistants.load_assistant(config), record, form)
    else:
        known = _triggers.outdated(config, control, record, trust_pickle=trust_pickle) if form == "html" else ()
        text = api.certificates(record, store) if form == "certificates" else render(record, form, outdated=known)
    if key is not None:
        text = api.signed_statement(record, form, key)
    data = text.encode()
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data)
        typer.echo(f"wrote {out} ({len(data):,} bytes)")
