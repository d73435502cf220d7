"""A smaller quota."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context
from temper.response.responses._policy import policy_of
from temper.response.responses._put import put


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Lets every client ask no more than `per_second` questions on average and `burst` at once; what is smaller already
    stays.

    It holds for honest clients, too, and an attacker with many keys has many quotas.
    """

    risky: ClassVar[bool] = True
    per_second: float = 0.0
    burst: int = 10

    def act(self, context: Context) -> Acted:
        if not self.per_second > 0.0:
            raise ConfigError("a quota of 0 is no limit", fix="add `per_second:` above 0")
        policy = policy_of(context)
        options = dict(policy.get("quota") or {})
        rate, burst = _now(options)
        wanted = min(rate, self.per_second), min(burst, self.burst)
        said = "nobody is limited" if math.isinf(rate) else f"a client may ask {rate:g} a second and {burst} at once"
        if wanted == (rate, burst):
            return Acted(found=f"{said} already" if math.isinf(rate) else said)
        stage = options | {"mode": "enforce", "per_second": wanted[0], "burst": wanted[1]}
        does = f"a client may ask {wanted[0]:g} a second and {wanted[1]} at once"
        return put(context, "policy", policy | {"quota": stage}, said, does)


def _now(options: dict[str, Any]) -> tuple[float, float]:
    """What a client may ask now; infinite where it is not limited, or only looked at."""
    rate = float(options.get("per_second", 0.0))
    if options.get("mode") != "enforce" or not rate:
        return math.inf, math.inf
    return rate, int(options.get("burst", 1))


PLUGIN = Quota
