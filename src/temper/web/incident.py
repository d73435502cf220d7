"""The room of an incident: its timeline as it grows, what lasted when it began, who has which part, and playbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.incident import PARTS, Entry, Incident, Kind, Severity
from temper.core.review import Right
from temper.web import alerts, incidents, moments, playbooks
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

BEFORE, SHOWN = 6 * 3_600.0, 8
"""An alert that ended so many seconds before an incident began may have to do with it; so many are shown."""
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
    """The whole page."""
    found = incidents.found(visit)
    return visit.page(
        "incident.html",
        **_happened(visit, found),
        closed=found.closed is not None,
        alerts=_alerts(visit, found),
        parts_of=[(part, ABOUT[part], found.parts.get(part, "")) for part in PARTS],
        playbook=found.playbook if found.closed is None else "",
        severities=list(Severity),
        may_change=visit.may(Right.RESPOND),
    )


def fragment(visit: Visit) -> Response:
    """The part that changes: the run of a playbook, and the timeline."""
    return visit.page("timeline.html", **_happened(visit, incidents.found(visit)))


def _happened(visit: Visit, found: Incident) -> dict[str, Any]:
    return {
        "incident": incidents.line(found, visit.now),
        "timeline": [_entry(entry, found) for entry in found.timeline],
        **playbooks.room(visit, found),
    }


def _alerts(visit: Visit, found: Incident) -> list[dict[str, Any]]:
    """What lasted when it began, or had just ended; of alerts that incidents are, only its own."""
    silences = visit.control.alerts.silences(visit.now)
    lasted = visit.control.alerts.during(found.opened - BEFORE, found.opened)
    own = f"incident.{found.id}"
    kept = [one for one in lasted if one.alert.key == own or not one.alert.key.startswith("incident.")]
    return [alerts.line(one, silences, visit.now) for one in kept[:SHOWN]]


def _entry(entry: Entry, found: Incident) -> dict[str, str]:
    return {
        "kind": entry.kind.value,
        "name": KINDS[entry.kind],
        "at": moments.clock(entry.at),
        "after": f"+{moments.span(entry.at - found.opened)}",
        "who": entry.who,
        "text": entry.text,
    }
