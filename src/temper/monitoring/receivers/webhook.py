"""A signed post to a program of your own."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from temper.core.alert import Alert
from temper.monitoring.receivers._post import json, post, secret, where
from temper.monitoring.receivers._told import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Posts the alert as JSON, signed: `X-Temper-Signature: sha256=` and the HMAC of the body in hex.

    Misleads where the receiver does not check the signature, or takes a message twice: the `Idempotency-Key` is the
    same each time it is sent.
    Source: Krawczyk et al., "HMAC: keyed-hashing for message authentication", RFC 2104, 1997.

    >>> _signature(b"{}", "secret")[:15]
    'sha256=77325902'
    """

    url: str = ""
    url_env: str = ""
    host: str = ""
    secret_env: str = ""
    ca: str = ""

    def send(self, alert: Alert) -> None:
        """Post one message."""
        body = json(plain(alert))
        headers = {
            "X-Temper-Signature": _signature(body, secret(self.secret_env, "secret_env")),
            "Idempotency-Key": hashlib.sha256(f"{alert.id}:{alert.state}".encode()).hexdigest(),
        }
        post(*where(self.url, self.url_env, self.host), body, headers, self.ca)


def _signature(body: bytes, key: str) -> str:
    return f"sha256={hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}"


PLUGIN = Webhook
