"""`temper report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _complete as complete
from temper.cli import _options as options
from temper.cli import _triggers
from temper.cli._control import PLACE, Store, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from temper.core.assurance import Case
    from temper.report.history import Outdated

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
    runs: options.Runs = "",
    key: Annotated[Path | None, typer.Option(help="With intoto: sign it with this private key (DSSE).")] = None,
    control: Store = PLACE,
    trust_pickle: options.Trust = False,
) -> None:
    """Write the report of a run; of HTML, with what of it is stale today, what renews that, and its assurance case."""
    from temper import api
    from temper.api import assistants
    from temper.api.assurance import case_for_report
    from temper.report import render

    store = api.open_store(config.parent)
    record, form = store.run(run), form or FORMATS.get(out.suffix if out else "", "html")
    if form in ("pytest", "promptfoo", "garak"):
        text = assistants.cases(assistants.load_assistant(config), record, form)
    else:
        known: Sequence[Outdated] = ()
        case: Case | None = None
        if form == "html":
            known = _triggers.outdated(config, control, record, trust_pickle=trust_pickle)
            with opened(control) as (people, _, now):
                case = case_for_report(config, record, store, people, now, trust_pickle=trust_pickle)
        whole = form != "certificates"
        text = render(record, form, outdated=known, case=case) if whole else api.certificates(record, store)
    if key is not None:
        text = api.signed_statement(record, form, key)
    data = text.encode()
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data)
        typer.echo(f"wrote {out} ({len(data):,} bytes)")
