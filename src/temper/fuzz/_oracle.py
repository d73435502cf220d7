"""What must hold whatever is sent: the laws, each a procedure that shows a breach again, and the replies they judge."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np

from temper.core.target import ScoreKind
from temper.fuzz._case import Case, Fate

_CLOSE, _NEAR = 1e-5, 1e-7  # two answers that a batch's other order of summing may part by
_SUM = 1e-3
WENT_DOWN = "it went down"
"""The cause of a failure after which nobody can be asked any more."""
_AGAIN = 150  # requests by which a row that is asked again has shown another answer
_STARTS = 3  # how often callers are the first ones: whether they meet is a matter of luck
_ROUNDS = 40  # how often callers ask at once before they are believed to get their own answers


class Outcome(Enum):
    """What came of asking."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    HUNG = "hung"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reply:
    """`scores` (n, k) of the rows asked; `said` what was answered in place of them, `cause` the same without what
    differs from row to row.
    """

    outcome: Outcome
    scores: Any = None
    said: str = ""
    cause: str = ""


class Subject(Protocol):
    """What is fuzzed: a model in a process of its own, or a service.

    `strict`: an input outside of the Schema must be refused, not scored. `low`, `high`: the range of a score.
    `batches`: rows that are answered alone must be answered together.
    """

    strict: bool
    kind: ScoreKind
    low: float
    high: float
    stochastic: bool
    batches: bool

    def ask(self, cases: Sequence[Case]) -> Reply:
        """The rows of these cases in one request."""

    def together(self, cases: Sequence[Case], rounds: int) -> list[list[Reply]]:
        """Each case in a request of its own, all at the same time, so many times; per case its replies."""

    def fresh(self) -> bool:
        """Begin again as if nothing had ever been asked; False where that cannot be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A law that does not hold: `said` what was seen, `cause` what tells it from other breaches of the law."""

    law: str
    said: str
    cause: str


Law = Callable[[Subject, Sequence[Case]], Breach | None]


def judged(subject: Subject, case: Case, reply: Reply, clean: Any = None) -> Breach | None:
    """What one reply to one case breaks; `clean` are the scores of its row without changes, where they are known."""
    found = _unanswered(case, reply)
    if found is not None or reply.outcome is not Outcome.ANSWERED:
        return found
    if wrong := out_of_range(subject, reply.scores):
        return Breach(law="in_range", said=wrong, cause=_sort(wrong))
    if subject.strict and fate(case) is Fate.REFUSE:
        shown = _shown(reply.scores[0])
        return Breach(law="refuses", said=f"an input outside of the schema got the score {shown}", cause=case.family)
    if clean is not None and _same(case) and not alike(reply.scores, clean):
        said = f"{_shown(reply.scores[0])}, and {_shown(clean[0])} written as usual"
        return Breach(law="spelling", said=said, cause=case.family)
    return None


def _unanswered(case: Case, reply: Reply) -> Breach | None:
    if reply.outcome is Outcome.FAILED:
        return Breach(law="answers", said=reply.said, cause=reply.cause or case.family)
    if reply.outcome is Outcome.HUNG:
        fields = ", ".join(sorted(change.field for change in case.changes))
        return Breach(law="in_time", said=reply.said, cause=fields or "a row as it was recorded")
    if reply.outcome is Outcome.REFUSED and fate(case) is Fate.ANSWER:
        return Breach(law="accepts", said=f"a valid row was refused: {reply.said}", cause=reply.cause)
    return None


def fate(case: Case) -> Fate:
    """What must become of a case: one change outside of the schema is enough to refuse it."""
    fates = {change.edge.fate for change in case.changes}
    if Fate.REFUSE in fates:
        return Fate.REFUSE
    return Fate.EITHER if Fate.EITHER in fates else Fate.ANSWER


def _same(case: Case) -> bool:
    return bool(case.changes) and all(change.edge.same for change in case.changes)


def out_of_range(subject: Subject, scores: Any) -> str:
    """What is wrong with these scores, "" if nothing is."""
    if not np.isfinite(scores).all():
        return f"the score is not finite: {_shown(scores[0])}"
    if scores.size and (scores.min() < subject.low or scores.max() > subject.high):
        worst = float(scores.max() if scores.max() > subject.high else scores.min())
        return f"the score {worst!r} is outside of {subject.low:g} to {subject.high:g}"
    several = subject.kind is ScoreKind.PROBABILITIES and scores.shape[1] > 1
    if several and (np.abs(scores.sum(axis=1) - 1.0) > _SUM).any():
        return f"the probabilities sum to {float(scores.sum(axis=1)[0])!r}"
    return ""


def alike(one: Any, other: Any) -> bool:
    """Whether two answers to the same rows agree."""
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=_CLOSE, atol=_NEAR, equal_nan=True))


# -- the laws: (subject, cases) -> breach; the first case is the one they are about -----------------------------------


def single(subject: Subject, cases: Sequence[Case]) -> Breach | None:
    """The case alone: answered or refused as it should be, in time, within the range; so are those after it."""
    for case in cases:
        clean = subject.ask([Case(base=case.base)]) if _same(case) else None
        known = clean.scores if clean is not None and clean.outcome is Outcome.ANSWERED else None
        if found := judged(subject, case, subject.ask([case]), known):
            return found
    return None


def repeats(subject: Subject, cases: Sequence[Case]) -> Breach | None:
    """The cases one after the other, again and again: each gets the answer that it got at first, and the first case
    gets it whatever was asked before.
    """
    if len(cases) > 1 and (found := preceded(subject, cases)):
        return found
    first = [subject.ask([case]) for case in cases]
    for _ in range(max(2, _AGAIN // len(cases))):
        for case, before in zip(cases, first, strict=True):
            if found := differ("repeats", case, before, subject.ask([case]), "asked again"):
                return found
    return None


def preceded(subject: Subject, cases: Sequence[Case]) -> Breach | None:
    """The first case asked of a fresh subject, and of another that was asked the others before."""
    if not subject.fresh():
        return None
    first = subject.ask(cases[:1])
    subject.fresh()
    for case in cases[1:]:
        subject.ask([case])
    return differ("repeats", cases[0], first, subject.ask(cases[:1]), f"after {len(cases) - 1} other requests")


def alone(subject: Subject, cases: Sequence[Case]) -> Breach | None:
    """The case alone gets the answer that it gets beside the others, in the first place and in the last."""
    by_itself = subject.ask(cases[:1])
    for at in dict.fromkeys((0, len(cases) - 1)):
        order = [*cases[1 : at + 1], cases[0], *cases[at + 1 :]]
        batch = subject.ask(order)
        if batch.outcome is Outcome.ANSWERED and len(batch.scores) != len(order):
            said = f"{len(batch.scores)} scores for {len(order)} rows"
            return Breach(law="alone", said=said, cause="count")
        if found := differ("alone", cases[0], by_itself, _part(batch, at), f"in a batch of {len(order)}"):
            return found
    return None


def own_answer(subject: Subject, cases: Sequence[Case]) -> Breach | None:
    """Callers who ask at the same time each get the answer to their own row, the very first ones too."""
    for _ in range(_STARTS):
        if not subject.fresh():
            break
        early = subject.together(cases, 1)
        if found := _mixed(cases, [subject.ask([case]) for case in cases], early):
            return found
    return crowded(subject, cases)


def crowded(subject: Subject, cases: Sequence[Case]) -> Breach | None:
    """The same of a subject that has been asked before, many times."""
    by_itself = [subject.ask([case]) for case in cases]
    return _mixed(cases, by_itself, subject.together(cases, _ROUNDS))


def _mixed(cases: Sequence[Case], alone: Sequence[Reply], together: Sequence[Sequence[Reply]]) -> Breach | None:
    for case, before, several in zip(cases, alone, together, strict=True):
        for reply in several:
            if found := differ("own_answer", case, before, reply, f"with {len(cases)} callers at once"):
                return found
    return None


LAWS: Mapping[str, Law] = {
    **dict.fromkeys(("answers", "in_time", "in_range", "refuses", "accepts", "spelling"), single),
    "repeats": repeats,
    "alone": alone,
    "own_answer": own_answer,
}
MEANING = {
    "answers": "never fails: no crash, no status 5xx, no broken connection",
    "in_time": "answers before the deadline",
    "in_range": "a score is finite and within its range",
    "refuses": "an input outside of the schema is refused",
    "accepts": "a valid row is not refused",
    "spelling": "a row that is written otherwise gets the same answer",
    "repeats": "the same row gets the same answer, whatever was asked before",
    "alone": "a row alone gets the answer that it gets in a batch",
    "own_answer": "of callers who ask at once each gets the answer to its own row",
}


def differ(law: str, case: Case, before: Reply, after: Reply, when: str) -> Breach | None:
    """What changed between two replies to the same case; busy ones say nothing."""
    if before.outcome is not Outcome.ANSWERED or after.outcome in (Outcome.BUSY, Outcome.HUNG):
        return None  # what is late breaks another law, and under load it may break none
    if after.outcome is Outcome.REFUSED and case.changes:
        return None  # a batch may be refused for one odd row in it
    if after.outcome is not Outcome.ANSWERED:
        return Breach(law=law, said=f"answered, and {when}: {after.said}", cause=after.cause or after.outcome.value)
    if alike(before.scores, after.scores):
        return None
    said = f"{_shown(before.scores[0])}, and {when}: {_shown(after.scores[0])}"
    return Breach(law=law, said=said, cause="another answer")


def _part(reply: Reply, at: int) -> Reply:
    if reply.outcome is not Outcome.ANSWERED:
        return reply
    return Reply(outcome=reply.outcome, scores=reply.scores[at : at + 1])


def _shown(scores: Any) -> str:
    return f"{float(np.ravel(scores)[-1]):.9g}"


def _sort(wrong: str) -> str:
    return re.sub(r"[-+]?\d[\d.e+-]*|\b(nan|inf)\b", "#", wrong).removesuffix(": #")
