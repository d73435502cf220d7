"""A measured figure with its interval, its cost and its baselines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from temper.core.errors import TemperError


class Status(Enum):
    """OK, INCONCLUSIVE (a power check failed, too few rows), UNTRIED (skipped, with the reason) or ERROR."""

    OK = "ok"
    INCONCLUSIVE = "inconclusive"
    UNTRIED = "untried"
    ERROR = "error"


class Better(Enum):
    """Which way is good."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a curve: a figure at a budget, dose or severity."""

    at: float
    value: float
    low: float
    high: float
    n: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A named series of points, for charts: robustness against budget, loss against severity, dose-response.

    `scale`: "linear", "log" (the axis of budgets), "log-log" (both axes, for rates that matter where they are small).
    """

    name: str
    axis: str
    unit: str
    points: tuple[Point, ...]
    scale: str = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One crossing of two kinds: `hits` of `n` trials that belong to `prompts` prompts."""

    row: str
    column: str
    hits: int
    n: int
    prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cross:
    """Counts by two kinds of a thing at once ("wrapper" x "carrier"); what was never tried has no cell."""

    rows: str
    columns: str
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """`value` in [`low`, `high`] at `confidence`, from `n` observations.

    A rate also has `count` (events among the n) and `undecided` (rows nobody knows about: UNTRIED, ERROR), so a gate
    can take the exact unfavourable end. `plugin` is the path name ("evasion.noise"), `slice` its rows.
    `baseline` holds what it must be read beside: (("random", 0.02), ...). `simulated` says stand-in or generator.
    `clusters` are the means of what belongs together (trials of one prompt) and how many of them had each; `counts`
    says what is counted towards a decision. `anytime`: its ends hold although looking may have stopped for what it saw.
    """

    plugin: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    n: int = 0
    count: int | None = None
    undecided: int = 0
    unit: str = ""
    better: Better = Better.NEITHER
    slice: str = "all"
    status: Status = Status.OK
    reason: str = ""
    method: str = ""
    queries: int = 0
    seconds: float = 0.0
    baseline: tuple[tuple[str, float], ...] = ()
    caveats: tuple[str, ...] = ()
    curve: Curve | None = None
    simulated: bool = False
    clusters: tuple[tuple[float, int], ...] = ()
    counts: str = "rows"
    anytime: bool = False

    def __post_init__(self) -> None:
        if self.status in (Status.INCONCLUSIVE, Status.UNTRIED, Status.ERROR) and not self.reason:
            raise TemperError(f"{self.name} is {self.status.value} without a reason", fix="say why")

    @property
    def name(self) -> str:
        """The name requirements refer to: plugin and metric joined by a dot."""
        return f"{self.plugin}.{self.metric}"
