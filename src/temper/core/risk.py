"""Risk: how often somebody tries, how often that succeeds, what it costs, and what each of these is known from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from temper.core.errors import TemperError
from temper.core.evidence import DAY
from temper.core.measure import Curve


class Standing(StrEnum):
    """What the probability of success stands on. UNTESTED and INCONCLUSIVE never lower a rating; STALE keeps what
    raised it and loses what lowered it.
    """

    UNTESTED = "untested"
    INCONCLUSIVE = "inconclusive"
    STALE = "stale"
    MEASURED = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What somebody believes of an amount: at least, most likely, at most. `assumed`: nobody has said so."""

    low: float
    likely: float
    high: float
    assumed: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.likely <= self.high:
            raise TemperError(
                f"a range {self.low:g}, {self.likely:g}, {self.high:g} does not rise from 0",
                fix="write [at least, most likely, at most]",
            )


ATTEMPTS = {
    "rare": Range(low=0.1, likely=0.3, high=1.0),
    "yearly": Range(low=0.5, likely=1.0, high=4.0),
    "monthly": Range(low=4.0, likely=12.0, high=40.0),
    "weekly": Range(low=20.0, likely=52.0, high=150.0),
    "daily": Range(low=150.0, likely=365.0, high=1000.0),
}
"""Bands of attempts a year."""
LOSSES = {
    "minor": Range(low=1 / 3, likely=1.0, high=3.0),
    "moderate": Range(low=10 / 3, likely=10.0, high=30.0),
    "major": Range(low=100 / 3, likely=100.0, high=300.0),
    "severe": Range(low=1000 / 3, likely=1000.0, high=3000.0),
}
"""Bands of what a success costs, in loss units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the user says of the scenarios that `threat` and `actor` (globs) name; None leaves what is said elsewhere.

    `success` is an expert's probability of success before anything is measured. `relevance` weighs what was measured:
    1 where rows and access are those of the scenario, less where they only resemble them.
    """

    threat: str = "*"
    actor: str = "*"
    attempts: Range | None = None
    loss: Range | None = None
    success: float | None = None
    relevance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A risk that somebody bears: who, why, and until when. It stops working when it lapses."""

    threat: str
    actor: str = "*"
    by: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """What a control stopped of attempts by somebody who knows it: `stopped` of `tried`, on `measured`, under the
    configuration of the guard with the digest `guard`.
    """

    threat: str
    stopped: int
    tried: int
    measured: date
    guard: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stakes:
    """`risk:` of a temper.yaml. Amounts are in `unit`; `appetite` is the annual loss that may be exceeded in one
    year of ten. `guard` is the digest of the guard's configuration as it stands there.
    """

    unit: str = "loss units"
    appetite: float = 1_000.0
    half_life: float = 90 * DAY
    attempts: Range | None = None
    loss: Range | None = None
    lines: tuple[Line, ...] = ()
    accepted: tuple[Acceptance, ...] = ()
    stopping: tuple[Stopping, ...] = ()
    guard: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What was measured of a scenario by `plugin` in `run`, `age` seconds ago: successes, failures that count (the
    attack has shown its power), and what nobody knows about. `stale` says why it no longer speaks of what answers.

    `counts` says what an attempt is: a row, a whole campaign, a kind of accident. `guarded`: a guard stood before what
    was attacked, and the attacker saw what it stopped. `note` is what else a reader wants to know of it.
    """

    plugin: str
    run: str
    age: float
    successes: float
    failures: float
    unknown: float = 0.0
    counts: str = "rows"
    doubt: str = ""
    stale: str = ""
    guarded: bool = False
    note: str = ""

    @property
    def n(self) -> float:
        """All attempts."""
        return self.successes + self.failures + self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What a certificate leaves possible: `possible` of `n` rows could be broken within the budget, by any attack."""

    possible: int
    n: int
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """Attempts that were seen in service: `events` in so many years, and what they were."""

    events: int
    years: float
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that the outside knows of one scenario: what attacks on the model tried, and what campaigns did against it as
    it is guarded.
    """

    trials: Trials | None = None
    campaign: Trials | None = None
    ceiling: Ceiling | None = None
    sightings: Sightings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """An uncertain amount: its middle (the mean of a probability, the median of a loss) and 95 % of what it may be;
    `p90` is exceeded in one case of ten.
    """

    middle: float
    low: float
    high: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One scenario of the register. `chance` is of success per attempt, `annual` the loss of a year, each `_before`
    anything was measured; `rating` goes by the p90 of the annual loss. `accepted` and `lapsed` speak of acceptances.
    """

    scenario: str
    title: str
    actor: str
    standing: Standing
    attempts: Spread
    loss: Spread
    chance_before: Spread
    chance: Spread
    annual_before: Spread
    annual: Spread
    rating_before: str
    rating: str
    because: tuple[str, ...] = ()
    decides: str = ""
    accepted: str = ""
    lapsed: str = ""
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """How far the expected annual loss of all scenarios moves when one input goes from its 5th to its 95th percentile
    and everything else stays at its mean.
    """

    scenario: str
    input: str
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Every scenario's risk, the largest first, and all of them together."""

    unit: str
    appetite: float
    risks: tuple[Risk, ...] = ()
    total_before: Spread
    total: Spread
    exceedance: tuple[Curve, ...] = ()
    swings: tuple[Swing, ...] = ()
    notes: tuple[str, ...] = ()


RATINGS = ("critical", "high", "medium", "low", "very low")


def worst(register: Register | None) -> str:
    """The worst rating of a register that nobody has accepted, "" where there is none."""
    found = {risk.rating for risk in register.risks if not risk.accepted} if register else set[str]()
    return next((word for word in RATINGS if word in found), "")
