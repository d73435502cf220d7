"""What a gateway says of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from temper.core.incident import Acted
from temper.response import figures
from temper.response.context import Context

PAUSE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Asks a gateway for one of its figures, or whether it is `ready`, and holds it against `at_least` and `at_most`;
    for `seconds` it is asked again until it fits. A figure with labels counts as the sum over those that have this
    `label` ("stage=extraction").

    It sees the one gateway it is pointed at; others on the same store may stand differently.
    """

    risky: ClassVar[bool] = False
    figure: str = "ready"
    label: str = ""
    at_least: float = -math.inf
    at_most: float = math.inf
    seconds: float = 0.0

    def act(self, context: Context) -> Acted:
        ends = 0.0 if context.dry else self.seconds
        while True:
            value, said = self._value(context.gateway)
            well = self.at_least <= value <= self.at_most
            if well or ends <= 0:
                return Acted(found=said + ("" if well else f", expected {self._expected()}"), well=well)
            context.wait(min(PAUSE, ends))
            ends -= PAUSE

    def _value(self, gateway: str) -> tuple[float, str]:
        try:
            if self.figure == "ready":
                ready = figures.ready(gateway)
                return float(ready), f"the gateway is {'ready' if ready else 'not ready'}"
            told = figures.text(f"{gateway.rstrip('/')}/metrics")
        except (OSError, ValueError):
            return math.nan, f"the gateway at {gateway} does not answer"
        values = [value for name, labels, value in figures.series(told) if name == self.figure and self._wanted(labels)]
        named = self.figure + (f" of {self.label}" if self.label else "")
        if not values and not self.label:
            return math.nan, f"the gateway has no figure {named}"
        return sum(values), f"{named} is {sum(values):g}"

    def _wanted(self, labels: dict[str, str]) -> bool:
        name, _, value = self.label.partition("=")
        return not self.label or labels.get(name) == value

    def _expected(self) -> str:
        low, high = (f"{one:g}" for one in (self.at_least, self.at_most))
        if self.figure == "ready":
            return "ready" if self.at_least > 0 else "not ready"
        if low == high:
            return low
        return f"at most {high}" if math.isinf(self.at_least) else f"at least {low}"


PLUGIN = Probe
