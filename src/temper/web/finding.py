"""A finding down to the rows that show it, decoded, column by column, and shown again by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.outline import moment
from temper.core.review import Right
from temper.report.rows import finding_of, row
from temper.web import moments, replays, run
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

DEEP = 20
"""Rows of a finding that are shown."""


def show(visit: Visit) -> Response:
    """A finding down to the rows that show it, decoded, column by column."""
    record = run.found(visit)
    one = run.finding_in(visit, record)
    names = (one.metric, f"{one.plugin}.{one.metric}")
    showing = visit.assessed.store.showing(one.id)
    return run.page(
        visit,
        record,
        "finding.html",
        "/findings",
        **_pictured(finding_of(one, DEEP)),
        more=max(0, len(one.examples) - DEEP),
        titles=dict(record.titles),
        figure=next((row(figure) for figure in record.measurements if figure.name in names), None),
        others=[(other, moments.clock(moment(at))) for other, at in showing if other != record.id],
        again=f"/runs/{record.id}/findings/{one.id}/replays",
        bench=visit.desk.bench is not None and visit.may(Right.ORDER),
        **replays.context(visit, one),
    )


def _pictured(told: dict[str, Any]) -> dict[str, Any]:
    """Pictures are base64 by now and nothing else, however long."""
    from markupsafe import Markup

    return told | {"examples": [part | {"picture": Markup(part["picture"])} for part in told["examples"]]}
