"""A probe: something an analyst tried by hand, what they expected of it, and what was seen at the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from temper.core.errors import TemperError
from temper.core.schema import Change
from temper.core.stage import Level

Row = tuple[float | None, ...]
"""Values in the Schema's order, None where one is missing."""
EMPTY = "empty"
"""The origin of a row that was made from nothing."""
Turns = tuple[tuple[str, str], ...]
"""A conversation: who said what."""
USER, OUTSIDER, ANSWER, SUPPOSED = "user", "tool", "assistant", "supposed"
"""Who says something: whoever asks, somebody whose words a tool brings, the assistant as it was heard, and as somebody
supposes it to answer.
"""
OWN_POLICY = "temper.yaml"
"""What judges where no policy was put in force."""


class Hand(StrEnum):
    """What a machine can be asked to do with a probe."""

    MINIMAL = "minimal"
    NEIGHBOURS = "neighbours"
    TRANSFER = "transfer"
    TEST = "test"


class Outcome(StrEnum):
    """What came of a change: there was no row before it, nothing was changed, it breaks a rule, the decision stays, or
    turns and a stage blocks it, a person looks at it, nothing stops it; what is said to an assistant its guard lets by
    or not.
    """

    NOTHING = "a row from nothing"
    SAME = "nothing is changed"
    BROKEN = "breaks a rule"
    STAYS = "the decision stays"
    BLOCKED = "turned, and a stage blocks it"
    SEEN = "turned, and a person looks at it"
    THROUGH = "turned, and nothing stops it"
    LET_BY = "the guard lets it by"
    HELD_BACK = "the guard holds it back"


class Severity(StrEnum):
    """How bad it would be if somebody did this, as whoever rates it says."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Standing(StrEnum):
    """How an assumption stands: nobody has challenged it, it stood, or it has fallen."""

    OPEN = "unchallenged"
    STANDS = "stands"
    FALLEN = "fallen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one stage of the guard says: `mode` is shadow where it changes nothing."""

    stage: str
    mode: str
    level: str
    reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether a request would feel it."""
        return self.mode == "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is seen of a row before and after a change. `broken` are the rules of the Schema that the change breaks,
    `moved` says of each changed column how far the score goes back when that change alone is undone. Without a row to
    start from there is no `before`, and nothing is said of changes. A conversation has no score: `told` is of its last
    turn, `earlier` of each one before. `policy` is what judged, "" where nobody has written that down.
    """

    after: float | None
    decided: str
    before: float | None = None
    decided_before: str = ""
    threshold: float | None = None
    told: tuple[Told, ...] = ()
    broken: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    cost: float = 0.0
    moved: tuple[tuple[str, float], ...] = ()
    model: str = ""
    earlier: tuple[tuple[Told, ...], ...] = ()
    policy: str = ""

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        if self.after is None:
            return Outcome.LET_BY if self.level < Level.REVIEW else Outcome.HELD_BACK
        if self.before is None:
            return Outcome.NOTHING
        if not self.changes and self.after == self.before:
            return Outcome.SAME
        if self.broken:
            return Outcome.BROKEN
        if not self.turned:
            return Outcome.STAYS
        return Outcome.THROUGH if self.through else Outcome.SEEN if self.level < Level.BLOCK else Outcome.BLOCKED

    @property
    def level(self) -> Level:
        """The worst that a stage says which counts."""
        return worst(self.told)

    @property
    def turned(self) -> bool:
        """Whether the change turns the decision."""
        return self.before is not None and self.decided != self.decided_before

    @property
    def through(self) -> bool:
        """Whether it gets what an attacker wants: another decision, within the rules, and no stage in the way."""
        return self.turned and not self.broken and self.level < Level.REVIEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was probed: `row` beside the `base` it was made from, which `origin` names in words; or the `text` of a
    conversation, who said what, the oldest first.
    """

    origin: str
    columns: tuple[str, ...] = ()
    base: Row = ()
    row: Row = ()
    label: int | None = None
    text: Turns = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is saved of a probe: of which system, what was expected (`hypothesis`), which technique it tries (an id of
    ATLAS, "" for none), and the numbers of the assumptions it challenges.
    """

    system: str
    hypothesis: str
    subject: Subject
    look: Look
    technique: str = ""
    assumptions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A draft as it was saved."""

    id: int
    key: str
    author: str
    made: float
    draft: Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """How bad somebody finds a probe, said before they saw what others said or whose it is."""

    probe: int
    by: str
    severity: Severity
    reason: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Somebody's word on an assumption, and the probe that shows it (0 for none)."""

    assumption: int
    by: str
    standing: Standing
    reason: str
    probe: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """Something a system is believed to hold to, and every challenge of it, the oldest first."""

    id: int
    system: str
    text: str
    author: str
    made: float
    challenges: tuple[Challenge, ...] = ()

    @property
    def standing(self) -> Standing:
        """What the last challenge says."""
        return self.challenges[-1].standing if self.challenges else Standing.OPEN


def supposed(text: Turns) -> Turns:
    """A conversation of which nothing was heard here.

    >>> supposed((("user", "a"), ("assistant", "b")))
    (('user', 'a'), ('supposed', 'b'))
    """
    return tuple((SUPPOSED if who == ANSWER else who, said) for who, said in text)


def worst(told: Iterable[Told]) -> Level:
    """The worst of what stages say that counts."""
    return max((Level[one.level] for one in told if one.counts), default=Level.ALLOW)


def turns_of(text: Turns) -> tuple[Turns, ...]:
    """A conversation by its turns: in each, at most once and in this order, whoever asks, an outsider, and what came
    back.

    >>> turns_of((("user", "a"), ("assistant", "b"), ("user", "c"), ("tool", "d")))
    ((('user', 'a'), ('assistant', 'b')), (('user', 'c'), ('tool', 'd')))
    """
    order = {USER: 0, OUTSIDER: 1, ANSWER: 2, SUPPOSED: 2}
    found: list[Turns] = []
    last = len(order)
    for who, said in text:
        if who not in order:
            raise TemperError(f"nobody in a conversation is called {who[:20]!r}", fix=f"use one of {', '.join(order)}")
        if order[who] <= last:
            found.append(())
        found[-1] = (*found[-1], (who, said))
        last = order[who]
    return tuple(found)
