"""People instead of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context
from temper.response.responses._policy import policy_of
from temper.response.responses._put import put


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Lets people look at every score from `low` to `high`: all of them, unless that is said. A range that holds
    already, or a wider one, stays.

    The queue grows by as many cases as there are requests, and what nobody decides in time the clock decides.
    """

    risky: ClassVar[bool] = True
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ConfigError(f"there are no scores from {self.low:g} to {self.high:g}", fix="write low before high")

    def act(self, context: Context) -> Acted:
        policy = policy_of(context)
        options = dict(policy.get("decide") or {})
        now = options.get("review") if options.get("mode", "enforce") == "enforce" else None
        said = f"people look at scores from {now[0]:g} to {now[1]:g}" if now else "people look at no score as such"
        if now and now[0] <= self.low and now[1] >= self.high:
            return Acted(found=f"{said} already")
        low, high = (min(now[0], self.low), max(now[1], self.high)) if now else (self.low, self.high)
        stage = options | {"mode": "enforce", "review": [low, high]}
        return put(
            context, "policy", policy | {"decide": stage}, said, f"people look at scores from {low:g} to {high:g}"
        )


PLUGIN = Decide
