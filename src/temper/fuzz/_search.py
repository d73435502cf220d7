"""One search: what was tried of each law, what broke, and the smallest case that shows it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from temper.fuzz._case import MESSAGE, Case, Fate, plain, read
from temper.fuzz._edges import Field, settled
from temper.fuzz._oracle import LAWS, WENT_DOWN, Breach, Outcome, Reply, Subject, fate, judged

_TRIES = 40  # requests spent on making one case smaller
_ENOUGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A broken law with the smallest cases that show it; `repeated` says whether they showed it a second time."""

    law: str
    cause: str
    said: str
    cases: tuple[Case, ...]
    repeated: bool = True

    @property
    def changed(self) -> int:
        """How many fields of the row differ from one that is answered."""
        return len(self.cases[0].changes)

    @property
    def severity(self) -> str:
        """High where a caller who does nothing wrong can meet it, or where the service falls."""
        odd = fate(self.cases[0]) is Fate.REFUSE
        if self.law in ("accepts", "own_answer", "repeats", "alone"):
            return "high"
        return "medium" if odd and self.law != "in_time" else "high"

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        told = {name: getattr(self, name) for name in ("law", "cause", "said", "repeated")}
        return told | {"cases": [plain(case) for case in self.cases]}

    @staticmethod
    def read(document: dict[str, Any]) -> Defect:
        """What `plain` wrote."""
        told = {name: document[name] for name in ("law", "cause", "said", "repeated")}
        return Defect(cases=tuple(read(case) for case in document["cases"]), **told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search says: per law how many cases were tried, the defects, and why it stopped early ("" if not).

    `left_out`: cases like those that hung; `late`: cases that were answered too late once and not again.
    """

    tried: dict[str, int]
    defects: tuple[Defect, ...]
    asked: int
    stopped: str = ""
    left_out: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hear:
    """Who is told of a search while it runs: of each new defect, of the share of its cases that were asked, and of what
    else is good to know.
    """

    defect: Callable[[Defect], None] = lambda defect: None
    share: Callable[[float], None] = lambda share: None
    note: Callable[[str], None] = lambda note: None


SILENT = Hear()


@dataclass(slots=True, kw_only=True, eq=False)
class Search:
    """The state of a search. `over` says whether (a share of) its time is up."""

    subject: Subject
    schema: Any
    fields: Sequence[Field]
    bases: list[Case]
    most: int
    over: Callable[..., bool]
    hear: Hear = SILENT
    tried: Counter[str] = field(default_factory=Counter)
    known: dict[tuple[str, str], Defect] = field(default_factory=dict)
    answered: list[tuple[Case, Any]] = field(default_factory=list)
    cases: int = 0
    asked: int = 0
    left_out: int = 0
    late: int = 0
    busy: int = 0
    _feared: Counter[str] = field(default_factory=Counter)

    def spent(self, cases: float = 1.0, time: float = 1.0) -> bool:
        """Whether this share of the cases, or this one of the time, is used up: what comes later needs some too."""
        return self.cases >= cases * self.most or self.over(time)

    def clean(self, case: Case) -> Any:
        """The scores of the row without changes, None where it was never answered."""
        return next((scores for one, scores in self.answered if not one.changes and one.base == case.base), None)

    def try_alone(self, case: Case) -> Reply | None:
        """Ask one case by itself and judge the reply. One like a case that hung or killed is left out: None."""
        case = settled(case, self.schema)
        if self._fears(case):
            self.left_out += 1
            return None
        self.cases += 1
        self.asked += 1
        reply = self.subject.ask([case])
        self.busy += reply.outcome is Outcome.BUSY
        breach = judged(self.subject, case, reply, self.clean(case) if any(c.edge.same for c in case.changes) else None)
        self._count(case, reply)
        self.hear.share(min(self.cases / self.most, 1.0))
        if reply.outcome is Outcome.HUNG or reply.cause.startswith("the process"):
            known = self._feared.keys() & {change.field for change in case.changes}
            self._feared.update(known or {change.field for change in case.changes[:1]})
            if known:
                return reply  # a field that hung alone hangs beside others
        if breach is not None:
            self.found(breach, [case])
        elif reply.outcome is Outcome.ANSWERED:
            self.answered.append((case, reply.scores))
        return reply

    def found(self, breach: Breach, cases: Sequence[Case]) -> None:
        """Shrink a breach and keep it, unless its cause is known."""
        if (breach.law, breach.cause) in self.known:
            return
        again, smallest = self._smaller(breach, list(cases))
        gone = getattr(self.subject, "gone", "")
        if gone and breach.cause != WENT_DOWN:
            self.found(Breach(law="answers", said=gone, cause=WENT_DOWN), cases[:1])
        if again is None and breach.law == "in_time":
            self.late += 1
            return
        final = again or breach
        key = (final.law, final.cause)
        if (one := self.known.get(key) or self._like(final, smallest[0])) is not None:
            self.known[key] = self.known[breach.law, breach.cause] = one  # not shrunk a second time
            return
        defect = Defect(law=final.law, cause=final.cause, said=final.said, cases=tuple(smallest),
                        repeated=again is not None)  # fmt: skip
        self.known[key] = self.known[breach.law, breach.cause] = defect
        self.hear.defect(defect)

    def _like(self, breach: Breach, case: Case) -> Defect | None:
        """The known defect that fails in the same words, where the place of a failure is not told, by the same field or
        by the same text in another one.
        """
        if breach.law != "answers" or breach.cause != case.family:
            return None
        mine = {(change.field, change.edge.literal) for change in case.changes}
        for one in self.known.values():
            theirs = {(change.field, change.edge.literal) for change in one.cases[0].changes}
            near = any(a[0] == b[0] != MESSAGE or (a[1] is not None and a[1] == b[1]) for a in mine for b in theirs)
            if (one.law, one.said) == (breach.law, breach.said) and near:
                return one
        return None

    def _fears(self, case: Case) -> bool:
        """Whether a field of the case has hung or killed so often that nothing is learnt from another time."""
        return any(self._feared[change.field] >= _ENOUGH for change in case.changes)

    def _count(self, case: Case, reply: Reply) -> None:
        if reply.outcome is Outcome.BUSY:
            return
        self.tried.update(("answers", "in_time"))
        due = fate(case)
        if reply.outcome is Outcome.ANSWERED:
            self.tried["in_range"] += 1
        if due is Fate.ANSWER:
            self.tried["accepts"] += 1
        if due is Fate.REFUSE and self.subject.strict:
            self.tried["refuses"] += 1
        if case.changes and all(change.edge.same for change in case.changes):
            self.tried["spelling"] += 1

    def _smaller(self, breach: Breach, cases: list[Case]) -> tuple[Breach | None, list[Case]]:
        """The breach as the smallest cases show it, None where it did not show again."""
        law, left = LAWS[breach.law], _TRIES
        if breach.law == "in_time" and len(cases[0].changes) < 2 and len(cases) == 1:
            return law(self.subject, cases), cases
        best = law(self.subject, cases)
        if best is None or best.law != breach.law:
            return None, cases
        at = 0
        while left > 0 and not self.over():
            smaller = next_smaller(cases, at)
            if smaller is None:
                break
            left -= 1
            shown = law(self.subject, smaller)
            if shown is not None and shown.law == breach.law:
                best, cases = shown, smaller
            else:
                at += 1
        return best, cases


def next_smaller(cases: list[Case], at: int) -> list[Case] | None:
    """The `at`-th way to make cases smaller: one companion less, then one change less, first of the accused case."""
    companions = len(cases) - 1
    if at < companions and companions > 1:
        gone = 1 + at
        return [*cases[:gone], *cases[gone + 1 :]]
    step = at - (companions if companions > 1 else 0)
    for which, case in enumerate(cases):
        if step < len(case.changes):
            changes = (*case.changes[:step], *case.changes[step + 1 :])
            return [*cases[:which], replace(case, changes=changes), *cases[which + 1 :]]
        step -= len(case.changes)
    return None


def result(search: Search, stopped: str) -> Searched:
    """The search as it ended."""
    order = list(LAWS)
    defects = sorted(dict.fromkeys(search.known.values()), key=lambda one: (order.index(one.law), one.cause))
    return Searched(
        tried={law: search.tried[law] for law in LAWS},
        defects=tuple(defects),
        asked=search.asked,
        stopped=stopped,
        left_out=search.left_out,
        late=search.late,
    )
