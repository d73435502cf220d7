"""Incidents: the list, and what an approver may do about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.errors import TemperError
from temper.core.incident import PARTS, Incident, Severity
from temper.core.review import Right
from temper.report.postmortem import render
from temper.web import moments
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE = 50


def show(visit: Visit) -> Response:
    """Those that are open, then the others."""
    asked = visit.request.query_params.get("page", "1")
    page = int(asked) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 6 else 1
    still, every = visit.control.incidents.counts()
    some = visit.control.incidents.page(limit=PAGE, offset=PAGE * (max(1, page) - 1))
    return visit.page(
        "incidents.html",
        incidents=[line(one, visit.now) for one in some],
        still=still,
        total=every,
        severities=list(Severity),
        may_change=visit.may(Right.RESPOND),
        page=max(1, page),
        more=PAGE * max(1, page) < every,
    )


def begin(visit: Visit) -> Response:
    """Open one."""
    text = visit.form.get("text", "").strip()
    number = visit.control.incidents.open(visit.text("title"), visit.text("severity"), visit.me.name, visit.now, text)
    return visit.go(f"/incidents/{number}")


def note(visit: Visit) -> Response:
    """Add a line."""
    number = _number(visit)
    visit.control.incidents.note(number, visit.text("text"), visit.me.name, visit.now)
    return visit.go(f"/incidents/{number}", "noted")


def change(visit: Visit) -> Response:
    """Say how bad it is, and who has which part; a field that is left as it is changes nothing."""
    before = found(visit)
    severity = visit.text("severity")
    if severity != before.severity:
        visit.control.incidents.rank(before.id, severity, visit.me.name, visit.now)
    for part in PARTS:
        person = visit.form.get(part, "").strip()
        if person and person != before.parts.get(part, ""):
            visit.control.incidents.assign(before.id, part, person, visit.me.name, visit.now)
    return visit.go(f"/incidents/{before.id}", "changed")


def close(visit: Visit) -> Response:
    """End it."""
    number = _number(visit)
    visit.control.incidents.close(number, visit.text("reason"), visit.me.name, visit.now)
    return visit.go(f"/incidents/{number}", "closed")


def document(visit: Visit) -> Response:
    """The post-incident report, as a file: a page of its own, which is not shown as one of the console's."""
    from starlette.responses import PlainTextResponse

    one = found(visit)
    name = {"content-disposition": f'attachment; filename="incident-{one.id}.html"'}
    return PlainTextResponse(render(one, visit.now), media_type="text/html", headers=name)


def found(visit: Visit) -> Incident:
    """The incident of this address."""
    number = _number(visit)
    if number < 2**63:
        try:
            return visit.control.incidents.get(number)
        except TemperError as error:
            if type(error) is not TemperError:
                raise
    raise Refused(404, "No such incident", "There is none with this number.")


def line(one: Incident, now: float) -> dict[str, Any]:
    """What a list shows of an incident."""
    return {
        "id": one.id,
        "title": one.title,
        "severity": one.severity.value,
        "open": one.closed is None,
        "opened": moments.clock(one.opened),
        "by": one.by,
        "lasted": moments.span((now if one.closed is None else one.closed) - one.opened),
        "closed": "" if one.closed is None else moments.clock(one.closed),
    }


def _number(visit: Visit) -> int:
    return int(visit.request.path_params["id"])
