"""PagerDuty, or what takes the same events."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from temper.core.alert import Alert
from temper.core.incident import Severity
from temper.monitoring.receivers._post import json, post, secret, where
from temper.monitoring.receivers._told import plain, title

_SEVERITY = {Severity.MINOR: "warning", Severity.MAJOR: "error", Severity.CRITICAL: "critical"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty:
    """Sends an event to `/v2/enqueue`: `trigger` while the alert lasts, `resolve` when it is over, of one `dedup_key`.

    Misleads where the service's own rules make the event quiet: one that was taken has called nobody yet.
    Source: PagerDuty, "Events API v2", developer.pagerduty.com.

    >>> from temper.core.alert import Alert
    >>> _event(Alert(key="k", severity=Severity.MINOR, title="t", text="", starts=0.0, ends=9.0), "r")["event_action"]
    'resolve'
    """

    url: str = ""
    url_env: str = ""
    host: str = ""
    key_env: str = ""
    ca: str = ""

    def send(self, alert: Alert) -> None:
        """Send one event."""
        body = json(_event(alert, secret(self.key_env, "key_env")))
        post(*where(self.url, self.url_env, self.host), body, {}, self.ca)


def _event(alert: Alert, key: str) -> dict[str, Any]:
    told = plain(alert)
    return {
        "routing_key": key,
        "event_action": "trigger" if alert.ends is None else "resolve",
        "dedup_key": told["id"] if len(told["id"]) <= 255 else hashlib.sha256(alert.id.encode()).hexdigest(),
        "payload": {
            "summary": title(alert, 1_000),
            "source": told["labels"].get("feed", "temper"),
            "severity": _SEVERITY[alert.severity],
            "timestamp": told["starts"],
            "custom_details": told,
        },
    }


PLUGIN = PagerDuty
