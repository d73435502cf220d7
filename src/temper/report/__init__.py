"""A run in the forms people and machines read: terminal, HTML, JSON, JUnit, SARIF, CycloneDX, model card, Markdown."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from temper.core.assurance import Case
from temper.core.defence import Effect
from temper.core.errors import TemperError
from temper.core.run import Record
from temper.report.history import Outdated

FORMATS = ("text", "html", "json", "junit", "sarif", "mlbom", "card", "intoto", "markdown")
_FILES = {"text": "terminal", "markdown": "notebook"}


def render(
    record: Record,
    format: str,
    *,
    before: Record | None = None,
    effects: Sequence[Effect] = (),
    tried: Sequence[Effect] = (),
    outdated: Sequence[Outdated] = (),
    case: Case | None = None,
) -> str:
    """The whole report as text in one of `FORMATS`; the same record always gives the same characters.

    `before` is the run this one is compared with, `effects` what a defence changed on the same rows, `tried` what every
    defence that was tried changed (HTML draws the trade-off), `outdated` what of it no longer counts and `case` the
    assurance case over it (HTML shows both).
    Text, HTML and JSON show the comparison; all others speak of this run alone. An unknown format is a TemperError.
    """
    if format not in FORMATS:
        raise TemperError(f"there is no report format {format!r}", fix=f"use one of {', '.join(FORMATS)}")
    module = importlib.import_module(f"temper.report.{_FILES.get(format, format)}")
    if format not in ("text", "html", "json"):
        return str(module.render(record))
    more = {"tried": tried, "outdated": outdated, "case": case} if format == "html" else {}
    return str(module.render(record, before=before, effects=effects, **more))
