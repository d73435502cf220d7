"""A channel of Slack, or of what takes the same messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temper.core.alert import Alert
from temper.monitoring.receivers._post import json, post, where
from temper.monitoring.receivers._told import lines, title

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """Posts to an incoming webhook. The address is a secret, so it comes by `url_env`, and `host` says where it leads.

    Misleads as the only receiver: a message scrolls away, nobody is called, and one that was sent twice is there twice.
    Source: Slack, "Sending messages using incoming webhooks", docs.slack.dev.

    >>> from temper.core.alert import Alert, Severity
    >>> alert = Alert(key="k", severity=Severity.MAJOR, title="<!channel>", text="", starts=0.0)
    >>> _message(alert)["text"]
    '[major] &lt;!channel&gt;'
    """

    url: str = ""
    url_env: str = ""
    host: str = ""
    ca: str = ""

    def send(self, alert: Alert) -> None:
        """Post one message."""
        post(*where(self.url, self.url_env, self.host), json(_message(alert)), {}, self.ca)


def _message(alert: Alert) -> dict[str, Any]:
    """Nothing in it is markup that came from outside."""
    head, text = title(alert).translate(_ESCAPED), lines(alert)[:2_500].translate(_ESCAPED)
    return {
        "text": head,
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": title(alert), "emoji": False}},
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": f"```{text.replace('`', ' ')}```", "verbatim": True},
            },
        ],
    }


PLUGIN = Slack
