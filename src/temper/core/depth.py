"""Defence in depth, measured: what each layer stops alone, at the margin and together, and what all that costs."""

from __future__ import annotations

from dataclasses import dataclass, field

from temper.core.requirement import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with its interval, over `n` of what is counted: actors, or honest requests."""

    value: float
    low: float
    high: float
    n: int

    def against(self, limit: float) -> Verdict:
        """Whether it is at most this: by its unfavourable end."""
        if self.high <= limit:
            return Verdict.PASS
        return Verdict.FAIL if self.low > limit else Verdict.INCONCLUSIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a layer stops of attacks: by itself, beyond all others, and its fair part of what all of them stop."""

    alone: Share
    margin: Share
    part: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer. `fixed`: of attempts made without it in mind; `known`: of those made anew by who knows it. `refused`
    and `asked` are shares of honest requests, `seconds` what it takes of one. `crashed` counts what it failed on, which
    is stopped.
    """

    name: str
    fixed: Worth
    known: Worth | None
    refused: Share
    asked: Share
    seconds: float = 0.0
    crashed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two layers that miss `seen` of the attempts together, where independence would have `by_chance`."""

    first: str
    second: str
    seen: float
    by_chance: float
    p: float
    found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One set of layers: what gets through it by whoever is stronger, what it does to honest requests, what it takes.
    `price` is what a thousand requests cost, None where nobody has said what anything costs.
    """

    layers: tuple[str, ...]
    residual: Share
    refused: Share
    asked: Share
    seconds: float
    price: float | None = None
    front: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Layers whose failure at once lets more through than the limit: for certain, or not to be excluded."""

    layers: tuple[str, ...]
    residual: Share
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One kind of traffic through all layers: the share of its worth that each stops first, and hands to people first;
    what is left gets `through`.
    """

    name: str
    stopped: tuple[float, ...]
    asked: tuple[float, ...]
    through: float
    n: int
    worth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The smallest set that was seen to keep the limits: chosen on one half of the actors, judged on the other."""

    layers: tuple[str, ...]
    residual: Share
    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """People who look at what is handed to them: which share of attacks they let pass (`misses`), of honest requests
    they refuse (`wrongs`), and of cases nobody looks at in time (`lapsed`), which become what `overdue` says: "block"
    or "allow". `said` is where each of these figures comes from, in this order: "measured", "configured", "assumed".
    """

    misses: Share
    wrongs: Share
    lapsed: Share
    overdue: str = "block"
    said: tuple[str, str, str] = ("assumed", "assumed", "assumed")

    def through(self, misses: float) -> float:
        """Which part of an attack that is handed to them gets through, where they miss this share of them."""
        return (1.0 - self.lapsed.value) * misses + self.lapsed.value * (self.overdue == "allow")

    @property
    def refuses(self) -> float:
        """Which part of the honest requests that are handed to them is refused."""
        return (1.0 - self.lapsed.value) * self.wrongs.value + self.lapsed.value * (self.overdue == "block")

    @property
    def sure(self) -> bool:
        """Whether no figure has an interval."""
        return all(one.low == one.high for one in (self.misses, self.wrongs, self.lapsed))

    @property
    def passing(self) -> tuple[float, float]:
        """The least and the most of an attack handed to them that gets through, as the intervals leave open."""
        return _ends(self.misses, self.lapsed, late=self.overdue == "allow")

    @property
    def refusing(self) -> tuple[float, float]:
        """The same of honest requests that are refused."""
        return _ends(self.wrongs, self.lapsed, late=self.overdue == "block")


def _ends(error: Share, lapsed: Share, *, late: bool) -> tuple[float, float]:
    both = [(1.0 - gone) * one + gone * late for one in (error.low, error.high) for gone in (lapsed.low, lapsed.high)]
    return min(both), max(both)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erring:
    """What gets through all layers where people miss this share of the attacks that they look at, and what of honest
    requests is `refused` where they refuse so much of what they look at (`wrongs`). Cases lapse as is best for either
    in the one, and as is worst in the other.
    """

    misses: float
    through: Share
    wrongs: float = 0.0
    refused: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What gets through all layers by attackers who know them and deal their requests to so many accounts each."""

    accounts: int
    through: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Rows that a stored run found, sent as they are: by what they were found (`plugin`, a `finding`), how many there
    are, what of them gets through all layers, and the share to which each layer, in order, objects.
    """

    plugin: str
    finding: str
    through: Share
    objects: tuple[float, ...]
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the policy allows: the share of attacks that may get through, and of honest requests that are refused."""

    residual: float = 0.1
    refused: float = 0.05
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """A whole defence. `fixed` and `known` are what gets through all layers, by attempts that were made without them
    in mind and by those made anew (None where nobody could); `bare` what gets through the model alone, where it is a
    layer; `unattended` what gets through where no person looks. Of `tried` actors who get through the bare model and
    know the guard, it stops `stopped`: what a risk register takes in. `as_if` are layers that do not act and were
    measured as if they did. `guard` and `model` are digests.

    Of more than ten layers not every set is looked at: parts come of so many `orders`, and `error` is the largest
    standard error that this leaves in one of them. `desk` are the people among the layers (None: there are none),
    `erring` what gets through if they err less or more, `spread` if attackers hold several accounts, `replayed` the
    rows of `run`. `campaign`: the run whose campaigns sent what was weighed, "" where the attempts were made for this
    measurement.
    """

    system: str
    layers: tuple[Layer, ...]
    fixed: Share
    known: Share | None
    bare: Share | None
    unattended: Share
    refused: Share
    asked: Share
    limits: Limits
    verdict: Verdict
    pairs: tuple[Pair, ...] = ()
    sets: tuple[Standing, ...] = ()
    failing: tuple[Failing, ...] = ()
    chosen: Chosen | None = None
    flows: tuple[Flow, ...] = ()
    stopped: int = 0
    tried: int = 0
    attempts: int = 0
    actors: int = 0
    honest: int = 0
    queries: int = 0
    attacks: tuple[str, ...] = ()
    as_if: tuple[str, ...] = ()
    unit: str = "attempts"
    guard: str = ""
    model: str = ""
    at: float = 0.0
    seed: int = 0
    simulated: bool = False
    notes: tuple[str, ...] = ()
    orders: int = 0
    error: float = 0.0
    desk: Desk | None = None
    erring: tuple[Erring, ...] = ()
    spread: tuple[Spread, ...] = ()
    run: str = ""
    replayed: tuple[Replayed, ...] = ()
    campaign: str = ""
    version: int = field(default=1)

    @property
    def residual(self) -> Share:
        """What gets through all layers by whoever is stronger."""
        return self.fixed if self.known is None else self.known
