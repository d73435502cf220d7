"""A portfolio of systems, what became of each the last time it was its turn, and how each stands now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from temper.core.evidence import DAY, Stale
from temper.core.job import VERDICTS
from temper.core.requirement import Verdict


class Level(StrEnum):
    """How much is at stake."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What systems of a tier are given: a suite, minutes for one assessment, gigabytes (0: no limit), whose turn comes
    first (the higher the earlier), and after how many seconds their evidence is stale.
    """

    suite: str = "standard"
    minutes: float = 60.0
    memory: float = 0.0
    priority: float = 0.0
    age: float = 90 * DAY


TIERS = {
    Level.HIGH: Tier(suite="deep", minutes=240.0, priority=3.0, age=30 * DAY),
    Level.MEDIUM: Tier(priority=2.0),
    Level.LOW: Tier(suite="quick", minutes=20.0, priority=1.0, age=180 * DAY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One system of a portfolio: its temper.yaml, who answers for it, and what it is given. `where` is the file and
    line it was written on.
    """

    name: str
    config: str
    where: str
    owner: str = ""
    level: Level = Level.MEDIUM
    tier: Tier = TIERS[Level.MEDIUM]
    only: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What a portfolio names and nobody can assess, in one line."""

    where: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The systems of a portfolio file in its order, and what of it is broken."""

    source: str
    name: str
    entries: tuple[Entry, ...]
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One system's turn: which assessment of the fleet (`fleet`), of which entry, when, and what came of it.

    `code` is the exit code `temper assess` would have ended with; `why` the last words of one that could not finish;
    `parts` what was measured again, everything without any. `annual` and `p90` of a year's loss in `unit`, and the
    worst `rating` that nobody has accepted, are the run's register in short.
    """

    fleet: str
    entry: str
    config: str
    at: float
    seconds: float
    code: int
    system: str = ""
    run: str = ""
    verdict: str = ""
    state: str = ""
    why: str = ""
    parts: tuple[str, ...] = ()
    tasks: int = 0
    reused: int = 0
    tries: int = 1
    worker: str = ""
    unit: str = ""
    annual: float | None = None
    p90: float | None = None
    rating: str = ""

    @property
    def finished(self) -> bool:
        """Whether it came to a verdict, whichever."""
        return self.code in VERDICTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the process of one turn is told. `store` is shared by the fleet, "" where each system has its own; `cores`
    may be used; `memory` gigabytes, 0 without a limit. With `stale` only what is stale is measured again, evidence
    older than `age` seconds included. `apart`: every task in a process of its own, for a model that ends its process.
    """

    fleet: str = ""
    entry: str = ""
    config: str = ""
    suite: str = ""
    only: tuple[str, ...] = ()
    seed: int = 0
    store: str = ""
    cores: int = 1
    memory: float = 0.0
    minutes: float = 60.0
    age: float = 90 * DAY
    stale: bool = False
    resume: bool = False
    fresh: bool = False
    apart: bool = False
    trust_pickle: bool = False
    author: str = ""
    tries: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How a system of the portfolio stands now. `verdict` is that of its newest finished run, as it is shown; None
    where there is none. `stale` is why its evidence no longer speaks of what answers, part by part; `drift` what the
    newest window alarms about, "" where it does not, and `watched` how many seconds ago that window ended. `trouble` is
    why it could not be assessed or looked at the last time. The risk is that of `assessed`, the last run whose register
    is known.
    """

    entry: Entry
    system: str = ""
    run: str = ""
    verdict: Verdict | None = None
    began: float | None = None
    age: float | None = None
    seconds: float = 0.0
    stale: tuple[Stale, ...] = ()
    drift: str = ""
    watched: float | None = None
    assessed: str = ""
    unit: str = ""
    annual: float | None = None
    p90: float | None = None
    rating: str = ""
    trouble: str = ""

    @property
    def urgent(self) -> bool:
        """Whether it should not wait behind others of its tier."""
        return bool(self.drift or self.stale or self.trouble) or self.verdict is not Verdict.PASS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The systems of a portfolio as they stand; what of it is broken; and, after an assessment, the turns they had, in
    their order, the names of those that time did not suffice for, and how long it took.
    """

    portfolio: Portfolio
    situations: tuple[Situation, ...]
    refused: tuple[Refused, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    left: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def code(self) -> int:
        """The exit code: of a requirement that failed, else of what could not finish, else of what nobody knows."""
        codes = {one.code for one in self.attempts} - {0}
        if Verdict.FAIL.code in codes:
            return Verdict.FAIL.code
        if self.refused or codes - {Verdict.INCONCLUSIVE.code}:
            return 4
        return Verdict.INCONCLUSIVE.code if codes or self.left else 0
