"""How a quarter goes: how long, how many payments, which controls stand, and what money means to the bank."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from temper.core.errors import TemperError

LAYERS = ("quota", "rules", "anomaly", "extraction", "model", "output", "review")
"""Layers that say something of every payment, in the order in which it meets them."""
CONTROLS = (*LAYERS, "fallback", "monitoring", "response", "retraining", "challenger")
"""Everything that can be switched off."""
TITLES = {
    "quota": "how many payments an account may make on a day",
    "rules": "rules that people have written down",
    "anomaly": "payments unlike those the model was made for",
    "extraction": "accounts that search for the edge, payment by payment",
    "model": "what the champion declines",
    "output": "answers of the model that are no answers",
    "review": "what people look at: undecided scores, strange payments",
    "fallback": "the challenger answers while the champion cannot",
    "monitoring": "every day held against the past, and reported frauds counted",
    "response": "a lower threshold and a smaller quota while an attack goes on",
    "retraining": "both models learn every week from what was reported",
    "challenger": "the better one of two models answers",
}
MARGIN, CHURN, CUSTOMER, HOUR = 0.02, 0.04, 150.0, 60.0
"""What the bank earns of a payment; the share of honest customers who leave once declined; what one of them is worth,
and an hour of an analyst, in dollars. Assumptions, said in the report.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A quarter of `days` with about `per_day` payments. `controls` stand; the champion does not answer on the day
    `outage` between two shares of the day. Analysts can look at a share `capacity` of a usual day's payments.
    """

    days: int = 90
    per_day: int = 11_112
    seed: int = 0
    controls: frozenset[str] = frozenset(CONTROLS)
    history: int = 28
    capacity: float = 0.008
    adaptive: bool = True

    def __post_init__(self) -> None:
        if unknown := sorted(self.controls - set(CONTROLS)):
            raise TemperError(f"there is no control {unknown[0]!r}", fix=f"there are {', '.join(CONTROLS)}")
        if self.days < 7 or self.per_day < 100:
            raise TemperError(
                f"a quarter of {self.days} days with {self.per_day} payments each is too small",
                fix="take 7 days and 100 payments at least",
            )

    @property
    def scored(self) -> bool:
        """Whether anything that stands asks a model."""
        return bool(self.controls & {"anomaly", "extraction", "model", "output", "review", "monitoring"})

    @property
    def opens(self) -> int:
        """The day on which the new channel opens."""
        return self.days // 2

    @property
    def breach(self) -> int:
        """The day on which stolen cards come on the market, and all card testers with them."""
        return (self.days * 3) // 10

    @property
    def outage(self) -> tuple[int, float, float]:
        """The day without the champion, and between which shares of its payments."""
        return (self.days * 7) // 10, 0.4, 0.65

    def without(self, *controls: str) -> frozenset[str]:
        """All that stand but these."""
        return self.controls - set(controls)


def known(controls: Collection[str]) -> frozenset[str]:
    """These controls, or an error that names those there are."""
    return Plan(controls=frozenset(controls)).controls
