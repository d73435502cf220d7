"""A threshold on a metric at a confidence, with a reason; a policy is a list of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from temper.core.errors import TemperError


class Verdict(Enum):
    """PASS, FAIL or INCONCLUSIVE; ERROR and WAIVED are recorded beside them and never read as PASS."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    WAIVED = "waived"

    @property
    def code(self) -> int:
        """The exit code of a command that ends with it.

        >>> {verdict.value: verdict.code for verdict in Verdict}
        {'pass': 0, 'fail': 1, 'inconclusive': 3, 'error': 4, 'waived': 0}
        """
        return {Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3, Verdict.ERROR: 4}.get(self, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An accepted breach: who accepts it, why, and until when. It stops working when it lapses."""

    by: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """`metric` is a glob over "plugin.metric" ("evasion.*.success_rate"), `slice` a glob over slices ("all": every row,
    whoever attacks).

    Passes when the unfavourable end of the one-sided interval at `confidence` satisfies it. `references` are the texts
    it stands for, as "table:id" ("eu-ai-act:15(5)"): read them where they are published.
    """

    id: str
    metric: str
    at_most: float | None = None
    at_least: float | None = None
    confidence: float = 0.95
    slice: str = "all"
    reason: str = ""
    severity: str = "high"
    waiver: Waiver | None = None
    references: tuple[str, ...] = ()
    line: int = 0

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.at_least is None):
            raise TemperError(f"requirement {self.id!r} needs exactly one of at_most and at_least")
        if not 0.5 < self.confidence < 1:
            raise TemperError(f"requirement {self.id!r}: confidence {self.confidence} must lie in (0.5, 1)")
        if self.severity not in ("critical", "high", "medium", "low"):
            raise TemperError(f"requirement {self.id!r}: severity {self.severity!r} is unknown")

    @property
    def limit(self) -> float:
        """The threshold."""
        return self.at_most if self.at_most is not None else self.at_least or 0.0

    def kept(self, value: float) -> bool:
        """Whether a value satisfies it."""
        return value <= self.limit if self.at_most is not None else value >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A text that requirements stand for, by the `id` in their references; `note` is what its reader has to do."""

    id: str
    title: str
    date: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Requirements under one name; `source` is the file they came from. A model answers clients once so many people
    have approved a run of it (`approvals`), each with a key of their own unless `signatures` says that their word does.
    """

    name: str
    requirements: tuple[Requirement, ...] = ()
    source: str = ""
    approvals: int = 0
    signatures: bool = True
    about: str = ""
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a requirement says of one measurement: the verdict on it alone, where several are judged at once.

    `kept` says whether the value keeps the limit, and `p` how often data would speak so for that if the opposite were
    true; `corrected` is the same for the number of claims (Holm, or all at once where all hold).
    `needed` would decide it by itself.
    """

    measured: str
    slice: str
    verdict: Verdict
    kept: bool
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    p: float = 1.0
    corrected: float = 1.0
    needed: int | None = None
    counts: str = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one requirement, with the measurement that decided it and the rows that would decide it.

    `counts` names what is counted in `needed`; `claims` are what it says of each measurement that it speaks of.
    """

    requirement: Requirement
    verdict: Verdict
    measured: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    needed: int | None = None
    explanation: str = ""
    counts: str = "rows"
    claims: tuple[Claim, ...] = ()

    @property
    def beyond(self) -> bool:
        """Whether the value itself breaks the limit: more of the same can only show that it fails."""
        return self.value is not None and not self.requirement.kept(self.value)
