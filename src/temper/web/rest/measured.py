"""What programs are told of measured defences and of what people tried by hand, as types: a part of the contract."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with its 95 % interval, over `n` of what is counted."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """A measured defence in short; the whole is at `/depths/{depth}`. What gets `through` all layers by whoever is
    stronger, and of honest requests what is `refused` and `asked` of people; `model` and `guard` are digests.
    """

    id: str
    system: str
    at: float
    verdict: str
    model: str
    guard: str
    simulated: bool
    layers: tuple[str, ...]
    attacks: tuple[str, ...]
    through: Share
    refused: Share
    asked: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Layers to be weighed: `through` and `refused` are the largest shares of attacks and of honest requests that may
    get through and be refused. The same `key` (16 hexadecimal digits) orders once, however often it is sent.
    """

    key: str
    suite: str
    why: str
    through: float = 0.1
    refused: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one stage of the guard said: `mode` is enforce, shadow (it changes nothing) or aside (it was not asked)."""

    name: str
    mode: str
    level: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A column that was changed."""

    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Who said something: user, tool (an outsider, as a tool brings it), assistant, or supposed (an answer that nobody
    has heard).
    """

    who: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation, and what every stage said of it."""

    said: tuple[Words, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """How bad somebody finds a probe."""

    person: str
    severity: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Something that was tried by hand, what was expected of it, and what was seen then; `turns` of a conversation.
    While it is `blind` (your person may still rate it) author and ratings are left out. `policy` is what judged.
    """

    id: int
    system: str
    author: str
    made: float
    hypothesis: str
    technique: str
    assumptions: tuple[int, ...]
    origin: str
    outcome: str
    before: float | None
    after: float | None
    decided_before: str
    decided: str
    threshold: float | None
    cost: float
    changes: tuple[Change, ...]
    broken: tuple[str, ...]
    stages: tuple[Stage, ...]
    turns: tuple[Turn, ...]
    model: str
    policy: str
    blind: bool
    ratings: tuple[Rating, ...]
