"""What happens to what is served: incidents, alerts, windows of feeds, drills."""

from __future__ import annotations

from temper.core.drill import Drill as Ran
from temper.core.incident import Incident as Happened
from temper.core.watch import Watched, Watching
from temper.store.control.alerts import Known
from temper.web import incidents as pages
from temper.web.refused import Refused
from temper.web.rest import views
from temper.web.rest.resource import few, some, taken, words
from temper.web.visit import LONGEST, Visit

_YES = ("", "1", "true")


def incidents(visit: Visit) -> tuple[views.Incident, ...]:
    """Incidents, those that are open first, without their timelines."""
    still = flag(visit, "open")
    page = visit.control.incidents.page
    return some(visit, lambda limit, offset: map(_incident, page(still, limit=limit, offset=offset)))


def incident(visit: Visit) -> views.Incident:
    """One with its timeline."""
    return _incident(pages.found(visit))


def opened(visit: Visit) -> views.Incident:
    """An incident that a program has opened."""
    body = taken(visit, views.Opened)
    said = (_text(body.title, "title"), body.severity, visit.me.name, visit.now, body.text[:LONGEST])
    return _incident(visit.control.incidents.get(visit.control.incidents.open(*said)))


def noted(visit: Visit) -> views.Incident:
    """An incident with one line more."""
    one, body = pages.found(visit), taken(visit, views.Note)
    visit.control.incidents.note(one.id, _text(body.text, "text"), visit.me.name, visit.now)
    return _incident(visit.control.incidents.get(one.id))


def alerts(visit: Visit) -> tuple[views.Alert, ...]:
    """Alerts, the newest first."""
    return tuple(map(_alert, visit.control.alerts.page(flag(visit, "open"), few(visit))))


def windows(visit: Visit) -> tuple[views.Window, ...]:
    """The latest windows of every feed that is watched, or of one."""
    asked = words(visit, "feed").get("feed")
    feeds = [one for one in visit.control.windows.watching() if asked in (None, one.feed)]
    latest = visit.control.windows.latest
    return tuple(
        _window(feed, one) for feed in feeds for one in latest(feed.feed, feed.reference, feed.width, few(visit))
    )


def drills(visit: Visit) -> tuple[views.Drill, ...]:
    """The latest drills."""
    return tuple(map(_drill, visit.control.drills.page(few(visit))))


def flag(visit: Visit, name: str) -> bool:
    """Whether this was asked for: `?open=1`."""
    return visit.request.query_params.get(name, "0").lower() in _YES


def _text(text: str, name: str) -> str:
    if not text.strip() or len(text) > LONGEST:
        raise Refused(422, "Something is missing", f"{name} has up to {LONGEST:,} characters, and one at least.")
    return text.strip()


def _incident(one: Happened) -> views.Incident:
    lines = tuple(views.Line(at=line.at, who=line.who, kind=line.kind.value, text=line.text) for line in one.timeline)
    return views.Incident(
        id=one.id,
        title=one.title,
        severity=one.severity.value,
        source=one.source,
        opened=one.opened,
        by=one.by,
        closed=one.closed,
        timeline=lines,
    )


def _alert(one: Known) -> views.Alert:
    alert = one.alert
    return views.Alert(
        id=alert.id,
        severity=alert.severity.value,
        title=alert.title,
        text=alert.text,
        labels=dict(alert.labels),
        starts=alert.starts,
        ends=alert.ends,
        taker=one.taker,
    )


def _window(feed: Watching, one: Watched) -> views.Window:
    return views.Window(
        feed=feed.feed,
        start=one.start,
        ends=one.ends,
        rows=one.rows,
        seen=one.seen.value,
        kind="" if one.kind is None else one.kind.value,
        why=one.why,
        alarms=len(one.alarms),
    )


def _drill(one: Ran) -> views.Drill:
    return views.Drill(
        id=one.id,
        name=one.name,
        fault=one.fault,
        by=one.by,
        started=one.started,
        ended=one.ended,
        held=one.held,
        figures=one.figures,
    )
