"""What a run may ask of an endpoint, and what it has spent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from temper.core.chat import Usage
from temper.core.errors import RunStopped, TemperError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hard caps of one endpoint.

    `in_flight` requests at once, `requests_per_minute` and `tokens_per_minute` as the endpoint allows; `timeout`
    seconds per request, `deadline` seconds per question with all its `retries`; `max_requests`, `max_tokens` and
    `max_cost` end the run. `price` is what a million tokens read and written cost, in the currency of `max_cost`.

    >>> Limits(price=(3.0, 15.0)).cost(Usage(read=1_000_000, written=0))
    3.0
    """

    in_flight: int = 16
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 60.0
    deadline: float = 300.0
    retries: int = 4
    max_requests: int = 100_000
    max_tokens: int | None = None
    max_cost: float | None = None
    price: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("in_flight", "timeout", "deadline", "max_requests"):
            if not getattr(self, name) > 0:
                raise TemperError(f"{name} must be positive, it is {getattr(self, name)}", fix=f"set {name} above 0")
        for name in ("requests_per_minute", "tokens_per_minute", "max_tokens", "max_cost"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise TemperError(f"{name} must be positive, it is {value}", fix="leave it out for no limit")
        if self.max_cost is not None and not any(self.price):
            raise TemperError("max_cost needs the price of tokens", fix="set price: [read, written] per million tokens")

    def cost(self, usage: Usage) -> float:
        """What these tokens cost."""
        return (usage.read * self.price[0] + usage.written * self.price[1]) / 1e6


@dataclass(slots=True, kw_only=True)
class Spent:
    """Requests and tokens so far; a request is counted before it is sent, so a cap is never passed by retries."""

    limits: Limits
    requests: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def cost(self) -> float:
        """Money so far."""
        return self.limits.cost(self.usage)

    def request(self) -> None:
        """Count one request, or refuse it."""
        limits = self.limits
        tokens = self.usage.read + self.usage.written
        for spent, cap, words in (
            (self.requests, limits.max_requests, "requests"),
            (tokens, limits.max_tokens or math.inf, "tokens"),
            (self.cost, limits.max_cost or math.inf, "of cost"),
        ):
            if spent >= cap:
                raise RunStopped(f"the cap of {cap:,} {words} is spent", fix="raise it, and go on with --resume")
        self.requests += 1

    def answered(self, usage: Usage) -> None:
        """Add what an answer used."""
        self.usage = self.usage + usage


def estimated(text: str) -> int:
    """About how many tokens a text has: four characters each.

    >>> estimated("a" * 100)
    25
    """
    return (len(text) + 3) // 4
