"""What programs are told and may say, as types: the contract of `/api/v1`. Times are seconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Whose program asks, and what it may do: the rights of its token that its person still has."""

    person: str
    role: str
    rights: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run in short; the whole record is at `/runs/{run}`. A run that is not complete is never `pass`."""

    run: str
    system: str
    suite: str
    started: str
    state: str
    verdict: str
    simulated: bool
    judged: int
    figures: int
    findings: int
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Some of `total` runs, the newest first."""

    total: int
    items: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A weakness that a run has shown; `reproduce` is the command that shows it again."""

    id: str
    title: str
    plugin: str
    metric: str
    severity: str
    scenario: str
    detail: str
    defences: tuple[str, ...]
    references: tuple[str, ...]
    reproduce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """A part of the evidence ("" is all of it) that speaks no more of what answers, why, and the run it is of."""

    part: str
    why: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The evidence that counts, by part the run it is of; what of it is stale; what was found changed (`faults`, and
    then the store takes no more); `trouble` says why it cannot be told what is stale, "" where it can.
    """

    system: str
    current: Mapping[str, str]
    stale: tuple[Aged, ...]
    faults: tuple[str, ...]
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An assessment to be made. The same `key` (16 hexadecimal digits) orders once, however often it is sent."""

    key: str
    suite: str
    why: str
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An order and what became of it: `state` is waiting, running, done or failed; `verdict` that of the `run`, or of
    the `depth` where layers were weighed.
    """

    id: int
    key: str
    why: str
    by: str
    suite: str
    only: tuple[str, ...]
    state: str
    progress: str
    attempts: int
    code: int | None
    run: str
    depth: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person decided; `signed` where their key says so."""

    person: str
    decision: str
    reason: str
    signed: bool
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A run that was put up for approval, by whom, and who has decided what."""

    id: int
    run: str
    system: str
    model: str
    verdict: str
    author: str
    reason: str
    needs: int
    state: str
    created: float
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A requirement that may fail until the end of a day, who answers for that, and who took it."""

    id: int
    system: str
    requirement: str
    owner: str
    reason: str
    until: str
    state: str
    author: str
    judge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An incident to be opened: `severity` is minor, major or critical."""

    title: str
    severity: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line for a timeline."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a timeline: when, who, what."""

    at: float
    who: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened; `closed` is null while it is open. In a list the timeline is left out."""

    id: int
    title: str
    severity: str
    source: str
    opened: float
    by: str
    closed: float | None
    timeline: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that is or was wrong; `ends` is null while it lasts, `taker` who looks after it."""

    id: str
    severity: str
    title: str
    text: str
    labels: Mapping[str, str]
    starts: float
    ends: float | None
    taker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one window of a feed says: `seen` is pass, fail, inconclusive or no data; `kind` of a FAIL, and `why`."""

    feed: str
    start: float
    ends: float
    rows: int
    seen: str
    kind: str
    why: tuple[str, ...]
    alarms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A drill; `held` is null until it has ended."""

    id: int
    name: str
    fault: str
    by: str
    started: float
    ended: float | None
    held: bool | None
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the audit; each has the digest of what was before it."""

    seq: int
    at: float
    who: str
    action: str
    subject: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system of the fleet as it stood at the last look: `verdict` is "" where it was never assessed, `stale` why its
    evidence speaks no more of what answers, `drift` what its newest window alarms about, which ended `watched` seconds
    before, `trouble` why it could not be looked at. The risk is a year's loss in `unit`: its mean, and what one year
    of ten exceeds; null where unknown.
    """

    name: str
    owner: str
    tier: str
    tags: tuple[str, ...]
    run: str
    verdict: str
    age: float | None
    stale: tuple[Aged, ...]
    drift: str
    watched: float | None
    trouble: str
    rating: str
    unit: str
    annual: float | None
    p90: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The systems as they stood at the time `at`, the most pressing first; `refused` entries cannot be read."""

    at: float
    name: str
    systems: tuple[System, ...]
    refused: tuple[str, ...]
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something was not done, in words."""

    status: int
    heading: str
    text: str
