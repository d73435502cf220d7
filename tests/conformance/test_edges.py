"""The oracle, the gate, the reports and the store keep their laws."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from temper.core.run import Record
from temper.report import html, json, junit, sarif, terminal
from temper.store.database import Store
from temper.targets.oracle import Oracle
from temper.testing import gate, oracle, report, store
from temper.validation.gate import judge

Law = Callable[..., None]


def shown(record: Record) -> str:
    """What the terminal shows, on a wide screen without colours."""
    out = StringIO()
    terminal.show(record, None, Console(file=out, width=200, color_system=None))
    return out.getvalue()


def coloured(record: Record) -> str:
    """What a terminal with colours shows, its own escapes taken away."""
    import re

    out = StringIO()
    terminal.show(record, None, Console(file=out, width=200, force_terminal=True, color_system="truecolor"))
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


RENDERERS = {
    "html": html.render,
    "sarif": sarif.render,
    "junit": junit.render,
    "json": json.render,
    "terminal": shown,
    "colours": coloured,
}


@pytest.mark.parametrize("law", oracle.LAWS, ids=lambda law: law.__name__)
def test_oracle_keeps(law: Law) -> None:
    law(Oracle)


@pytest.mark.parametrize("law", gate.LAWS, ids=lambda law: law.__name__)
def test_gate_keeps(law: Law) -> None:
    law(judge)


@pytest.mark.parametrize("name", RENDERERS)
@pytest.mark.parametrize("law", report.LAWS, ids=lambda law: law.__name__)
def test_report_keeps(law: Law, name: str) -> None:
    law(RENDERERS[name])


@pytest.mark.parametrize("law", store.LAWS, ids=lambda law: law.__name__)
def test_store_keeps(law: Law, tmp_path: Path) -> None:
    def there_and_back(record: Record) -> Record:
        kept = Store.open(tmp_path / f"{len(list(tmp_path.iterdir()))}.db")
        kept.save_run(record)
        return kept.run(record.id)

    law(there_and_back)
