"""Prometheus' Alertmanager."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temper.core.alert import Alert
from temper.core.incident import Severity
from temper.monitoring.receivers._post import json, post, secret, where
from temper.monitoring.receivers._told import plain, when

_NEVER = 4_102_444_800.0  # 2100: without an end Alertmanager takes what is not repeated for over in a few minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Alertmanager:
    """Posts to `/api/v2/alerts`. Labels are `alertname` (the rule), `feed`, `key` and `severity`; it lasts until Temper
    says that it is over.

    Misleads where Alertmanager loses its memory (a restart without its volume): what lasts is not told again.
    Source: Alertmanager's API v2, prometheus.io/docs/alerting/latest/clients.

    >>> from temper.core.alert import Alert
    >>> alert = Alert(key="k", severity=Severity.MAJOR, title="t", text="", labels=(("rule", "drift"),), starts=0.0)
    >>> _entries(alert)[0]["labels"]["alertname"]
    'drift'
    """

    url: str = ""
    url_env: str = ""
    host: str = ""
    token_env: str = ""
    ca: str = ""

    def send(self, alert: Alert) -> None:
        """Post one alert."""
        headers = {"Authorization": f"Bearer {secret(self.token_env, 'token_env')}"} if self.token_env else {}
        post(*where(self.url, self.url_env, self.host), json(_entries(alert)), headers, self.ca)


def _entries(alert: Alert) -> list[dict[str, Any]]:
    """An alert is known by all its labels, so one that became worse is another one, and the milder one is over."""
    ends = _NEVER if alert.ends is None else max(alert.ends, alert.starts)
    entries = [_entry(alert, alert.severity, ends)]
    return entries if alert.was in (None, alert.severity) else [*entries, _entry(alert, alert.was, alert.starts)]


def _entry(alert: Alert, severity: Severity | None, ends: float) -> dict[str, Any]:
    told = plain(alert)
    labels = told["labels"]
    rule = labels.pop("rule", told["key"])
    named = {"alertname": rule, "key": told["key"], "severity": (severity or alert.severity).value}
    return {
        "labels": {**labels, **named},
        "annotations": {"summary": told["title"], "description": told["text"]},
        "startsAt": when(alert.starts),
        "endsAt": when(ends),
    }


PLUGIN = Alertmanager
