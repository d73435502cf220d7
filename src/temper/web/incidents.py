"""Incidents: the list, one with its timeline, and what an approver may do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.errors import TemperError
from temper.core.incident import PARTS, Entry, Incident, Kind, Severity
from temper.core.review import Role
from temper.report.incident import review
from temper.web import moments
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE = 50
KINDS = {
    Kind.OPENED: "opened",
    Kind.SIGNAL: "gateway",
    Kind.NOTE: "note",
    Kind.SEVERITY: "severity",
    Kind.PART: "part",
    Kind.PLAYBOOK: "playbook",
    Kind.CLOSED: "closed",
}
ABOUT = {"lead": "decides", "scribe": "writes down", "contact": "tells the others"}


def show(visit: Visit) -> Response:
    """Those that are open, then the others."""
    asked = visit.request.query_params.get("page", "1")
    page = int(asked) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 6 else 1
    still, every = visit.control.incidents.counts()
    found = visit.control.incidents.page(limit=PAGE, offset=PAGE * (max(1, page) - 1))
    return visit.page(
        "incidents.html",
        incidents=[line(one, visit.now) for one in found],
        still=still,
        total=every,
        severities=list(Severity),
        may_change=visit.may(Role.APPROVER),
        page=max(1, page),
        more=PAGE * max(1, page) < every,
    )


def begin(visit: Visit) -> Response:
    """Open one."""
    text = visit.form.get("text", "").strip()
    number = visit.control.incidents.open(visit.text("title"), visit.text("severity"), visit.me.name, visit.now, text)
    return visit.go(f"/incidents/{number}")


def one(visit: Visit) -> Response:
    """One incident: what is known, who has which part, every line of its timeline."""
    found = _found(visit)
    changeable = visit.may(Role.APPROVER)
    return visit.page(
        "incident.html",
        incident=line(found, visit.now),
        closed=found.closed is not None,
        parts_of=[(part, ABOUT[part], found.parts.get(part, "")) for part in PARTS],
        timeline=[_entry(entry, found) for entry in found.timeline],
        playbook=found.playbook if found.closed is None else "",
        severities=list(Severity),
        may_change=changeable,
    )


def note(visit: Visit) -> Response:
    """Add a line."""
    number = _number(visit)
    visit.control.incidents.note(number, visit.text("text"), visit.me.name, visit.now)
    return visit.go(f"/incidents/{number}", "noted")


def change(visit: Visit) -> Response:
    """Say how bad it is, and who has which part; a field that is left as it is changes nothing."""
    found = _found(visit)
    severity = visit.text("severity")
    if severity != found.severity:
        visit.control.incidents.rank(found.id, severity, visit.me.name, visit.now)
    for part in PARTS:
        person = visit.form.get(part, "").strip()
        if person and person != found.parts.get(part, ""):
            visit.control.incidents.assign(found.id, part, person, visit.me.name, visit.now)
    return visit.go(f"/incidents/{found.id}", "changed")


def close(visit: Visit) -> Response:
    """End it."""
    number = _number(visit)
    visit.control.incidents.close(number, visit.text("reason"), visit.me.name, visit.now)
    return visit.go(f"/incidents/{number}", "closed")


def document(visit: Visit) -> Response:
    """The review to be filled in, as a file."""
    from starlette.responses import PlainTextResponse

    found = _found(visit)
    name = {"content-disposition": f'attachment; filename="incident-{found.id}.md"'}
    return PlainTextResponse(review(found, visit.now), media_type="text/markdown", headers=name)


def line(found: Incident, now: float) -> dict[str, Any]:
    """What a list shows of an incident."""
    return {
        "id": found.id,
        "title": found.title,
        "severity": found.severity.value,
        "open": found.closed is None,
        "opened": moments.clock(found.opened),
        "by": found.by,
        "lasted": moments.span((now if found.closed is None else found.closed) - found.opened),
        "closed": "" if found.closed is None else moments.clock(found.closed),
    }


def _entry(entry: Entry, found: Incident) -> dict[str, str]:
    return {
        "kind": entry.kind.value,
        "name": KINDS[entry.kind],
        "at": moments.clock(entry.at),
        "after": f"+{moments.span(entry.at - found.opened)}",
        "who": entry.who,
        "text": entry.text,
    }


def _number(visit: Visit) -> int:
    return int(visit.request.path_params["id"])


def _found(visit: Visit) -> Incident:
    number = _number(visit)
    if number < 2**63:
        try:
            return visit.control.incidents.get(number)
        except TemperError as error:
            if type(error) is not TemperError:
                raise
    raise Refused(404, "No such incident", "There is none with this number.")
