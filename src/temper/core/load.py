"""What load did to a service: runs, the knee, overload and what came after it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a service has to do: answer this share of its requests well, and 99 % of them within so many seconds."""

    seconds: float = 0.1
    answered: float = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Times in seconds: `low` and `high` are the ends of the p50 at 95 %, None where so many never came."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What a chat service said in a run. `first` (to the first token) and `whole` (to the end) run from when requests
    were due, over all that were not turned away; `each` is the time of a token after the first, over whole answers.
    `tokens` are of whole answers, `span` the seconds from the start to the last of them; `told` answers had their
    tokens counted by the service, `guessed` by pieces that came, and of `unknown` nobody knows. The rest are answers
    that were none.
    """

    first: Spread
    whole: Spread
    each: Spread
    tokens: int
    span: float
    told: int
    guessed: int
    unknown: int
    broke_off: int
    errors: int
    stalled: int
    empty: int

    @property
    def rate(self) -> float:
        """Tokens a second, of all streams together."""
        return self.tokens / self.span if self.span else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run at one rate. `good` were answered well within the limit, `late` well but later, `shed` turned away on
    purpose, `failed` everything else; `unsent` of these never found a connection. Times are seconds; p50 and p99 are
    of all requests that were not shed, from when they were due, None where so many failed. `held` is the share that
    waited for a connection, `lateness` the generator's own at p99, `cpu` its seconds of processor per request. `grown`
    is by how many the requests in work (or in a queue) became more in the second half: a queue that still fills hides
    for a while that the service cannot keep up. Of a chat the times end with the first token, and `spoken` is the rest.
    """

    rate: float
    seconds: float
    requests: int
    good: int
    late: int
    shed: int
    failed: int
    unsent: int
    p50: float | None
    p99: float | None
    p99_low: float | None
    p99_high: float | None
    service_p99: float | None
    mean: float | None
    held: float
    lateness: float
    cpu: float
    refused: int = 0
    grown: int = 0
    spoken: Spoken | None = None

    @property
    def steady(self) -> bool:
        """Whether as many were answered as came, within five percent of what came in the second half."""
        return self.grown <= max(0.05 * self.requests / 2, 3)

    @property
    def goodput(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds

    @property
    def throughput(self) -> float:
        """Answers a second that were not refusals."""
        return (self.good + self.late) / self.seconds

    def holds(self, limit: Limit) -> bool:
        """Whether the service did at this rate what it has to."""
        quick = self.p99 is not None and self.p99 <= limit.seconds
        answered = self.good + self.late >= limit.answered * self.requests
        return quick and answered and self.steady and self.unsent == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """The highest rate at which the limit holds: the median of several searches, between the highest rate that held
    and the lowest that did not in any of them. `high` is None where none failed up to `most`, the value 0 where none
    held.
    """

    value: float
    low: float
    high: float | None
    searches: tuple[float, ...]
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """The Universal Scalability Law through the runs: alone so many a second, `queueing` and `crosstalk` per further
    request in work, and the throughput at its peak, None where the law has none.
    """

    alone: float
    queueing: float
    crosstalk: float
    peak: float | None
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A short time of a run, by when requests were due; `p99` None where nothing was answered."""

    at: float
    offered: float
    good: float
    shed: float
    failed: float
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Overload and what came after it: `seconds` from its end until requests are answered in time again, None where
    they were not while anybody looked (`watched` seconds).
    """

    before: float
    during: float
    start: float
    end: float
    watched: float
    seconds: float | None
    timeline: tuple[Moment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How the memory of the service's processes grew: bytes an hour with the ends at 95 %, from `n` means."""

    slope: float
    low: float
    high: float
    start: float
    end: float
    n: int

    @property
    def sure(self) -> bool:
        """Whether it grew beyond doubt."""
        return self.low > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A limit that the service was held to: as ordered, by which mechanism, and what was seen of it in words."""

    limit: str
    by: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Everything that one load test of a service found. `plan` says in words what was sent; `overload` holds runs at
    multiples of the knee.
    """

    url: str
    limit: Limit
    plan: str
    generators: int
    started: str
    trials: tuple[Trial, ...] = ()
    knee: Knee | None = None
    scaling: Scaling | None = None
    overload: tuple[tuple[float, Trial], ...] = ()
    recovery: Recovery | None = None
    timeline: tuple[Moment, ...] = ()
    growth: Growth | None = None
    constraints: tuple[Constraint, ...] = ()
    caveats: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The last second whose requests are all past the limit, of all generators: for whoever watches. `failed` are those
    that were not answered well in time.
    """

    at: float
    offered: float
    good: float
    failed: float
    p50: float
    p99: float
    late: float
