"""The dashboard: how much waits and for how long, what an operator has set, and what the gateway counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.review import State
from temper.web import drills, figures, incidents, moments, operations
from temper.web.case import STATES, summary
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

URGENT = 5


def show(visit: Visit) -> Response:
    """The whole page."""
    return visit.page("dashboard.html", **_context(visit), **drills.panel(visit))


def fragment(visit: Visit) -> Response:
    """The part that changes, asked for every few seconds."""
    return visit.page("figures.html", **_context(visit))


def _context(visit: Visit) -> dict[str, Any]:
    counts = visit.control.reviews.counts()
    waiting = visit.control.reviews.page(None, limit=URGENT, viewer=visit.me.name)
    return {
        "counts": [(state.value, STATES[state], counts.get(state, 0)) for state in State],
        "urgent": [summary(case, visit) for case in waiting],
        "late": sum(case.due is not None and case.due <= visit.now for case in waiting),
        "incidents": [incidents.line(one, visit.now) for one in visit.control.incidents.page(True, limit=URGENT)],
        "switches": operations.switches(visit),
        "gateway": figures.asked(visit.desk.metrics, visit.now) if visit.desk.metrics else None,
        "at": moments.clock(visit.now),
    }
