"""Health at a glance: what every feed says, how old that is, what lasts, and whether the service is well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from temper.core.alert import Alert
from temper.core.incident import Severity
from temper.core.outcome import Outcome
from temper.core.served import ANSWERED, Standing
from temper.core.watch import Seen, Watched, Watching
from temper.monitoring.objectives import standing_of
from temper.report import served
from temper.report.watched import said, span
from temper.web import drawing, feeds, figures, incidents, moments
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PATH = "/monitoring"
LABELS, SHOWN, MOST = 30, 5, 500
"""Windows whose labels are told of, alerts and incidents that are shown, and that are counted."""
WORST = (Severity.CRITICAL, Severity.MAJOR, Severity.MINOR)


def show(visit: Visit) -> Response:
    """The whole page."""
    return feeds.page(visit, "health.html", PATH, **_context(visit))


def fragment(visit: Visit) -> Response:
    """The part that changes."""
    return feeds.page(visit, "health_now.html", PATH, **_context(visit))


def _context(visit: Visit) -> dict[str, Any]:
    known = [_feed(visit, one) for one in visit.control.windows.watching()]
    alerts = [one.alert for one in visit.control.alerts.page(open_only=True, limit=MOST)]
    still = visit.control.incidents.page(True, limit=MOST)
    gateway = figures.asked(visit.desk.metrics, visit.now) if visit.desk.metrics else None
    return {
        "feeds": known,
        "tiles": [_well(known), _lasting(alerts), _open(len(still)), _breaker(gateway)],
        "alerts": [_alert(one, visit.now) for one in alerts[:SHOWN]],
        "more": max(0, len(alerts) - SHOWN),
        "incidents": [incidents.line(one, visit.now) for one in still[:SHOWN]],
        "gateway": gateway,
    }


def _feed(visit: Visit, watching: Watching) -> dict[str, Any]:
    windows = visit.control.windows.latest(watching.feed, watching.reference, watching.width, feeds.MANY)
    last = windows[-1]
    late = visit.now - watching.judged > 2.0 * watching.width
    return {
        "name": feeds.name(watching.feed),
        "href": feeds.link("/monitoring/drift", watching.feed),
        "tone": "inconclusive" if late and last.seen is Seen.PASS else feeds.TONES[last.seen],
        "state": f"not looked at since: {last.seen.value}" if late else last.seen.value,
        "well": last.seen is Seen.PASS and not late,
        "late": late,
        "facts": _facts(last, watching, visit.now),
        "row": feeds.row(windows, "/monitoring/drift", watching.feed),
        "labels": _labels(visit.control.windows.outcomes.page(watching.feed, LABELS), visit.now),
        "promises": [_promise(one) for one in standing_of(visit.control.windows.served, watching.feed, visit.now)],
        "accuracy": feeds.link("/monitoring/accuracy", watching.feed),
    }


def _facts(last: Watched, watching: Watching, now: float) -> list[tuple[str, str]]:
    events = dict(last.events)
    kind = [("Kind of change", last.kind.value)] if last.kind else []
    return [
        ("Last window", f"{span(last)}, {'ended' if last.ends <= now else 'ends'} {moments.ago(last.ends, now)}"),
        ("Looked at", f"{moments.ago(watching.judged, now)}; windows of {moments.span(watching.width)}"),
        ("Rows", f"{last.rows:,}"),
        *kind,
        ("Found", said(last)),
        *([("Answers", served.told(events, last.ends - last.start))] if ANSWERED in events else []),
    ]


def _promise(one: Standing) -> dict[str, str]:
    """An objective of the gateway behind this feed, as it stands now."""
    return {
        "name": one.objective.name,
        "tone": feeds.TONES[one.seen],
        "state": one.seen.value,
        "share": served.share(one),
        "said": served.said(one),
    }


def _labels(outcomes: Sequence[Outcome], now: float) -> dict[str, Any] | None:
    """How far labels have come; None where none are watched."""
    if not outcomes:
        return None
    mature = [one for one in outcomes if one.matures is None or one.matures <= now]
    young = [one for one in outcomes if one.matures is not None and one.matures > now]
    newest = mature[-1] if mature else None
    rows, labelled = (sum(getattr(one, name) for one in mature) for name in ("rows", "labelled"))
    due = young[0].matures if young else None
    return {
        "state": newest.seen.value if newest else "none has matured",
        "tone": feeds.TONES[newest.seen] if newest else "nothing",
        "share": round(100.0 * labelled / rows, 2) if rows else 0.0,
        "told": f"{drawing.percent(labelled / rows)} of {rows:,} matured rows have a label" if rows else "",
        "waiting": f"{len(young)} windows wait; the next matures {moments.due(due, now)}" if due is not None else "",
        "window": _span(newest) if newest else "",
    }


def _span(one: Outcome) -> str:
    return span(Watched(start=one.start, ends=one.ends, rows=one.rows, seen=one.seen, tests=0, needed=None))


def _well(known: Sequence[dict[str, Any]]) -> dict[str, str]:
    """How many feeds pass; where there are none nothing is well."""
    well = sum(one["well"] for one in known)
    tone = "pass" if known and well == len(known) else "fail" if any(o["tone"] == "fail" for o in known) else "open"
    what = "nothing is watched" if not known else "feed passes" if len(known) == 1 else "feeds pass"
    return {"many": f"{well} of {len(known)}", "what": what, "tone": tone, "href": "/monitoring/drift"}


def _lasting(alerts: Sequence[Alert]) -> dict[str, str]:
    worst = next((rank for rank in WORST if any(one.severity is rank for one in alerts)), None)
    what = f"alerts last, the worst {worst.value}" if worst else "alerts last"
    tone = f"rank-{worst.value}" if worst else "none"
    return {"many": _many(len(alerts)), "what": what, "tone": tone, "href": "/monitoring/alerts"}


def _open(still: int) -> dict[str, str]:
    return {
        "many": _many(still),
        "what": "incident is open" if still == 1 else "incidents are open",
        "tone": "fail" if still else "none",
        "href": "/incidents",
    }


def _many(counted: int) -> str:
    return f"{counted}{'+' if counted == MOST else ''}"


def _breaker(gateway: figures.Figures | None) -> dict[str, str]:
    """The service in one tile: how many of its checks are well."""
    if gateway is None or gateway.state is None:
        told = "no gateway is named" if gateway is None else gateway.trouble or "the gateway says nothing of itself"
        return {"many": "–", "what": told, "tone": "open", "href": "/dashboard"}
    checks = gateway.state.checks
    ill = [one for one in checks if one.tone == "fail"]
    what = f"checks fail: {', '.join(one.name for one in ill)}" if ill else "checks of the service hold"
    return {
        "many": f"{len(ill) or sum(one.tone == 'pass' for one in checks)} of {len(checks)}",
        "what": what,
        "tone": "fail" if ill else "pass",
        "href": "/dashboard",
    }


def _alert(one: Alert, now: float) -> dict[str, Any]:
    return {"id": one.id, "title": one.title, "severity": one.severity.value, "lasted": moments.span(now - one.starts)}
