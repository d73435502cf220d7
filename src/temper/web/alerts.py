"""Alerts: what lasts and what is over, who took it, whom it was told, and how to take or silence it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from temper.core.alert import Alert, Silence
from temper.core.review import Right
from temper.monitoring.alerts import quiet
from temper.store.control.alerts import Known, Message
from temper.web import feeds, moments
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PATH = "/monitoring/alerts"
ONE = "/monitoring/alert"
SHOWN = 100
FOR = {
    "30m": ("30 minutes", 1_800.0),
    "2h": ("2 hours", 7_200.0),
    "1d": ("a day", 86_400.0),
    "7d": ("a week", 604_800.0),
}
STATES = {
    "open": ("open", "fail"),
    "taken": ("taken", "state-claimed"),
    "silenced": ("silenced", "nothing"),
    "resolved": ("resolved", "state-closed"),
}
TOLD = {"begins": "that it began", "worse": "that nobody took it", "over": "that it is over"}


def show(visit: Visit) -> Response:
    """The whole page."""
    return feeds.page(visit, "alerts.html", PATH, **_context(visit))


def fragment(visit: Visit) -> Response:
    """The part that changes."""
    return feeds.page(visit, "alerts_now.html", PATH, **_context(visit))


def one(visit: Visit) -> Response:
    """One alert: what is wrong, whom it was told, and what may be done about it."""
    found = _found(visit)
    silences = visit.control.alerts.silences(visit.now)
    alert = found.alert
    return visit.page(
        "alert.html",
        alert=line(found, silences, visit.now),
        text=alert.text,
        columns=alert.columns,
        labels=alert.labels,
        messages=[_message(each, visit.now) for each in visit.control.alerts.messages(alert.id)],
        silences=[_silence(each, visit.now) for each in silences if quiet(alert, [each], visit.now)],
        choices=_choices(alert),
        durations=[(word, name) for word, (name, _) in FOR.items()],
        may_take=visit.may(Right.DECIDE) and alert.ends is None,
        may_silence=visit.may(Right.RESPOND) and alert.ends is None,
        may_open=visit.may(Right.RESPOND) and alert.ends is None,
    )


def take(visit: Visit) -> Response:
    """Look after it."""
    found = _found(visit)
    visit.control.alerts.take(found.alert.key, visit.me.name, visit.now)
    return visit.go(address(found.alert), "taken")


def silence(visit: Visit) -> Response:
    """Let nothing be sent of it, or of others like it, for a while."""
    found = _found(visit)
    label, lasts = visit.text("label"), FOR.get(visit.text("lasts"))
    offered = {name: value for name, value, _ in _choices(found.alert)}
    if label not in offered or lasts is None:
        raise Refused(422, "Something is missing", "Choose what is silenced and for how long.")
    kind = label.partition(" ")[0]
    until = visit.now + lasts[1]
    visit.control.alerts.silence(
        Silence(label=kind, value=offered[label], until=until, by=visit.me.name, why=visit.text("why"), at=visit.now)
    )
    return visit.go(address(found.alert), "silenced")


def address(alert: Alert) -> str:
    """Where an alert is shown."""
    return f"{ONE}?{urlencode({'id': alert.id})}"


def line(known: Known, silences: Sequence[Silence], now: float) -> dict[str, Any]:
    """What a list shows of an alert."""
    alert = known.alert
    state = _state(known, silences, now)
    return {
        "id": alert.id,
        "key": alert.key,
        "href": address(alert),
        "title": alert.title,
        "severity": alert.severity.value,
        "was": alert.was.value if alert.was else "",
        "state": state,
        "state_name": STATES[state][0] + (f" by {known.taker}" if state == "taken" else ""),
        "tone": STATES[state][1],
        "taker": known.taker,
        "began": moments.clock(alert.starts),
        "lasted": moments.span((now if alert.ends is None else alert.ends) - alert.starts),
        "over": alert.ends is not None,
        "sent": known.sent,
        "waiting": known.waiting,
    }


def _context(visit: Visit) -> dict[str, Any]:
    silences = visit.control.alerts.silences(visit.now)
    lines = [line(known, silences, visit.now) for known in visit.control.alerts.page(limit=SHOWN)]
    return {
        "alerts": lines,
        "counts": [
            (name, sum(each["state"] == state for each in lines), tone) for state, (name, tone) in STATES.items()
        ],
        "full": len(lines) == SHOWN,
        "shown": SHOWN,
        "waiting": [
            {
                "receiver": each.receiver,
                "many": each.many,
                "due": _again(each.due, visit.now),
                "fault": each.fault,
            }
            for each in visit.control.alerts.waiting()
        ],
        "silences": [_silence(each, visit.now) for each in silences],
    }


def _state(known: Known, silences: Sequence[Silence], now: float) -> str:
    if known.alert.ends is not None:
        return "resolved"
    if quiet(known.alert, silences, now):
        return "silenced"
    return "taken" if known.taker else "open"


def _choices(alert: Alert) -> list[tuple[str, str, str]]:
    """What can be silenced: the word of the form, the value, and what a person reads."""
    found = [("key", alert.key, "this alert, whenever it comes again")]
    found += [(f"{label}", value, f"every alert of the {label} {value}") for label, value in alert.labels]
    found += [(f"column {at}", name, f"drift of the column {name}") for at, name in enumerate(alert.columns)]
    return found


def _message(message: Message, now: float) -> dict[str, Any]:
    sent = message.sent is not None
    return {
        "receiver": message.receiver,
        "what": TOLD.get(message.state, message.state),
        "sent": sent,
        "when": moments.clock(message.sent) if message.sent is not None else _again(message.due, now),
        "attempts": message.attempts,
        "fault": message.fault,
    }


def _again(due: float, now: float) -> str:
    return f"tried again {moments.due(due, now)}" if due > now else "tried again by the next look"


def _silence(silence: Silence, now: float) -> dict[str, str]:
    return {
        "what": f"{silence.label} {silence.value}",
        "until": f"{moments.clock(silence.until)} ({moments.due(silence.until, now)})",
        "by": silence.by,
        "why": silence.why,
    }


def _found(visit: Visit) -> Known:
    given = visit.form.get("id", "") or visit.request.query_params.get("id", "")
    found = visit.control.alerts.one(given) if given.isprintable() and 0 < len(given) <= 300 else None
    if found is None:
        raise Refused(404, "No such alert", "There is none with this name.")
    return found
