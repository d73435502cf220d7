"""What a server does wrong on purpose: late, busy, broken, cut short."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

KINDS = ("busy", "error", "empty", "malformed", "cut", "dropped", "hang")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares of requests that fail in each way, drawn from a seed and the number of the request; `latency` in seconds.

    busy: 429 with Retry-After; error: 500; empty: no text; malformed: no JSON; cut: the answer ends early; dropped: the
    connection closes; hang: no answer for a minute.

    >>> Faults(busy=1.0).of(7)
    'busy'
    """

    latency: float = 0.0
    busy: float = 0.0
    error: float = 0.0
    empty: float = 0.0
    malformed: float = 0.0
    cut: float = 0.0
    dropped: float = 0.0
    hang: float = 0.0
    pause: float = 1.0
    seed: int = 0

    def of(self, number: int) -> str:
        """How this request fails, "" where it does not."""
        digest = hashlib.blake2b(f"{self.seed}|{number}".encode()).digest()
        draw = int.from_bytes(digest[:7], "big") / 2.0**56
        for kind in KINDS:
            share = getattr(self, kind)
            if draw < share:
                return kind
            draw -= share
        return ""
