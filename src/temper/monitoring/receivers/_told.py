"""How an alert is told: in words, as plain values, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from temper.core.alert import Alert
from temper.report._inert import inert

_WORDS = {"begins": "", "worse": "nobody took it: ", "over": "over: "}


def title(alert: Alert, longest: int = 200) -> str:
    """One line, for people."""
    return inert(f"[{alert.severity.value}] {_WORDS[alert.state]}{alert.title}", longest)


def lines(alert: Alert) -> str:
    """What a person needs to go on, in a few lines."""
    lasted = f"since {when(alert.starts)}" + ("" if alert.ends is None else f" until {when(alert.ends)}")
    return f"{inert(alert.text)}\n{lasted}\nkey: {inert(alert.key)}"


def plain(alert: Alert) -> dict[str, Any]:
    """Everything, for programs. `id` and `state` together are the same message, however often it comes."""
    return {
        "id": inert(alert.id),
        "state": alert.state,
        "key": inert(alert.key),
        "severity": alert.severity.value,
        "title": inert(alert.title),
        "text": inert(alert.text),
        "labels": {inert(name): inert(value) for name, value in alert.labels},
        "columns": [inert(name) for name in alert.columns],
        "starts": when(alert.starts),
        "ends": None if alert.ends is None else when(alert.ends),
    }


def when(seconds: float) -> str:
    """A time as RFC 3339 writes it.

    >>> when(0.0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
