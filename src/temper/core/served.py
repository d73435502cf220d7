"""What a gateway answers, minute by minute: how much, what failed, what was too much, how long it took, and what of
that is promised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from temper.core.alert import Burning
from temper.core.watch import Seen

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper ends, in seconds, of the bars in which gateways count how long something took."""
ENDS = (*map(str, BUCKETS), "+Inf")
"""The same as words, with that of the last bar."""
ANSWERED, FAILED, OVERLOAD = "answered", "failed", "overload"
"""What requests are counted as: answered as asked; answered by a failure of the service (5xx), those turned away for
want of room among them; turned away for want of room. What clients did wrong (4xx) is none of these.
"""
TOOK = "took "
"""What answers are counted as by the time they took: before the upper end of their bar."""
MINUTE = 60.0
RULES = (
    Burning(rate=14.4, long=3_600.0, short=300.0, least=100),
    Burning(rate=6.0, long=21_600.0, short=1_800.0, least=100),
    Burning(rate=1.0, long=259_200.0, short=21_600.0, least=100),
)
"""When a budget of a month is burnt too fast. Source: Beyer et al., "The site reliability workbook", 2018, chapter 5:
somebody is called for the first two, and has days for the third.
"""
LOOKED = 604_800.0
"""So many seconds back alerts are told of minutes; those that a rule looks back at from there are kept, too."""
_TOOK = tuple(f"{TOOK}{end}" for end in ENDS)


class Promise(StrEnum):
    """What may be promised of requests: that they do not fail, that answers are quick, that there is room."""

    ERRORS = "errors"
    LATENCY = "latency"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """At most a share `budget` of requests fails, of answers takes longer than `within` seconds, or of requests is
    turned away, as `promise` says. It is broken where one of `rules` says that the budget is burnt too fast.

    >>> Objective(promise=Promise.LATENCY, budget=0.01, within=0.05).events({"took 0.05": 97, "took 0.1": 3})
    (100, 97)
    """

    promise: Promise
    budget: float
    within: float = 0.0
    rules: tuple[Burning, ...] = ()

    @property
    def name(self) -> str:
        """What it is called: `latency 50ms`."""
        return f"{self.promise} {1000.0 * self.within:g}ms" if self.promise is Promise.LATENCY else self.promise.value

    @property
    def longest(self) -> float:
        """The longest while that any rule looks back."""
        return max(rule.long for rule in self.rules)

    def events(self, counts: Mapping[str, int]) -> tuple[int, int]:
        """How many there were, and how many of them were good."""
        if self.promise is Promise.LATENCY:
            took = latencies(counts)
            return sum(took), sum(many for end, many in zip(BUCKETS, took, strict=False) if end <= self.within)
        asked = counts.get(ANSWERED, 0) + counts.get(FAILED, 0)
        bad = counts.get(FAILED if self.promise is Promise.ERRORS else OVERLOAD, 0)
        return max(asked, bad), max(asked, bad) - bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What was counted in the minute from `start`."""

    start: float
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def ends(self) -> float:
        """When it ended."""
        return self.start + MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many times as fast as it may a budget burns over the `long` and the `short` while of a rule, in which `asked`
    events came in the short one; `burns` says whether that is too fast.
    """

    rule: Burning
    long: float
    short: float
    asked: int
    burns: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An objective at a time: FAIL where one of `rates` is too fast, NOTHING where no event came in the shortest while,
    INCONCLUSIVE where too few came for one of the rules. `bad` of `asked` events were, over the longest while.
    """

    objective: Objective
    seen: Seen
    rates: tuple[Rate, ...]
    asked: int
    bad: int


def latencies(counts: Mapping[str, int]) -> list[int]:
    """How many answers lie in each bar."""
    return [counts.get(name, 0) for name in _TOOK]


def within(counts: Mapping[str, int], share: float) -> str:
    """The upper end of the bar in which the quantile lies, as a word; "" where no answer was counted.

    >>> within({"took 0.05": 97, "took 0.1": 3}, 0.99), within({}, 0.5)
    ('0.1', '')
    """
    took, seen = latencies(counts), 0
    for end, many in zip(ENDS, took, strict=True):
        seen += many
        if many and seen >= share * sum(took):
            return end
    return ""


def together(minutes: Sequence[Minute]) -> dict[str, int]:
    """What was counted in all of them."""
    found: dict[str, int] = {}
    for one in minutes:
        for name, many in one.counts.items():
            found[name] = found.get(name, 0) + many
    return found
