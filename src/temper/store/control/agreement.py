"""How far people can be relied on: whether two who did not see each other's answer agree, and whether they find what is
planted, also where the score leans the wrong way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from temper.core.review import Ruling
from temper.store.control.database import Row, Transaction

LATEST = 5_000
FEW = 20
"""Cases below which a kappa is told without an interval: it would promise more than it keeps."""
_TWO = (
    "SELECT a.review AS first, b.review AS second, a.reviewer AS one, b.reviewer AS two, a.verdict AS said, "
    "b.verdict AS replied, b.seq AS seq FROM decision a JOIN decision b ON b.review = a.review AND b.round = 2 "
    "WHERE a.round = 1 AND a.review NOT IN (SELECT review FROM exercise)"
)
_AGAIN = (
    "SELECT a.review AS first, b.review AS second, a.reviewer AS one, b.reviewer AS two, a.verdict AS said, "
    "b.verdict AS replied, b.seq AS seq FROM exercise e JOIN decision a ON a.review = e.origin AND a.round = 1 "
    "JOIN decision b ON b.review = e.review AND b.round = 1"
)
_PLANTED = (
    "SELECT d.reviewer AS one, d.verdict AS said, e.truth AS truth, e.lean AS lean FROM exercise e "
    "JOIN decision d ON d.review = e.review AND d.round < 3 WHERE e.truth IS NOT NULL ORDER BY d.seq DESC LIMIT ?"
)
_ENDED = (
    "SELECT count(*) AS n, count(CASE WHEN state = 'expired' THEN 1 END) AS expired FROM review "
    "WHERE state IN ('closed', 'expired') AND id NOT IN (SELECT review FROM exercise)"
)
_WAITING = "SELECT count(*) AS n FROM exercise e JOIN review r ON r.id = e.review WHERE r.closed IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`count` of `n`, with Wilson's 95 % interval; (0, 1) where there is nothing."""

    count: int
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Agreement beyond chance, its 95 % interval (NaN below FEW cases and where all agree), and the plain share."""

    value: float
    low: float
    high: float
    agreed: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two people who answered the same cases, each without the other's answer."""

    one: str
    two: str
    kappa: Kappa


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How somebody ("" for everybody) answers planted cases. `right` of all; `followed` is the wrong answers where the
    score leans to the wrong one, `strayed` the wrong answers where it leans to the right one. More followed than
    strayed is automation bias; as much of both is only being wrong.
    """

    name: str
    right: Share
    followed: Share
    strayed: Share

    @property
    def bias(self) -> tuple[float, float, float]:
        """How much more often an answer is wrong where the score misleads, with its 95 % interval; NaN where one of
        both was never asked.

        Source: Newcombe, "Interval estimation for the difference between independent proportions", 1998.
        """
        one, two = self.followed, self.strayed
        if not (one.n and two.n):
            return math.nan, math.nan, math.nan
        a, b = one.count / one.n, two.count / two.n
        return a - b, a - b - math.hypot(a - one.low, two.high - b), a - b + math.hypot(one.high - a, b - two.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A closed case that came again and was answered otherwise."""

    first: int
    second: int
    said: Ruling
    replied: Ruling


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All of it: `whole` is Fleiss' kappa over all pairs of answers, `pairs` have Cohen's; `waiting` are the cases that
    came again or were planted and nobody has answered yet. Of planted cases that are to be blocked, people let `missed`
    through; of those to be let through they block `wronged`; of cases of clients that have ended, nobody decided
    `lapsed` in time.
    """

    whole: Kappa
    pairs: tuple[Pair, ...]
    everybody: Reader
    people: tuple[Reader, ...]
    differing: tuple[Differing, ...]
    waiting: int
    missed: Share
    wronged: Share
    lapsed: Share


Found = tuple[list[Row], list[Row], list[Row], int, tuple[int, int]]


def read(tx: Transaction) -> Found:
    """The latest answers of two, the latest second looks, the latest answers to planted cases, what waits, and how many
    cases of clients nobody decided in time, of how many.
    """
    two = tx.all(f"{_TWO} ORDER BY b.seq DESC LIMIT ?", LATEST)
    again = tx.all(f"{_AGAIN} ORDER BY b.seq DESC LIMIT ?", LATEST)
    waiting, ended = tx.one(_WAITING), tx.one(_ENDED)
    lapsed = (int(ended["expired"]), int(ended["n"])) if ended else (0, 0)
    return two, again, tx.all(_PLANTED, LATEST), int(waiting["n"]) if waiting else 0, lapsed


def measured(found: Found) -> Agreement:
    """The figures of what was read."""
    two, again, planted, waiting, lapsed = found
    both = [*two, *again]
    names = sorted({row["one"] for row in planted})
    return Agreement(
        whole=_whole(both),
        pairs=_pairs(both),
        everybody=_reader("", planted),
        people=tuple(_reader(name, [row for row in planted if row["one"] == name]) for name in names),
        differing=tuple(
            Differing(
                first=row["first"], second=row["second"], said=Ruling(row["said"]), replied=Ruling(row["replied"])
            )
            for row in again
            if row["said"] != row["replied"]
        ),
        waiting=waiting,
        missed=_share(row["said"] == Ruling.ALLOW for row in planted if row["truth"] == Ruling.BLOCK),
        wronged=_share(row["said"] == Ruling.BLOCK for row in planted if row["truth"] == Ruling.ALLOW),
        lapsed=_of(*lapsed),
    )


def _whole(rows: list[Row]) -> Kappa:
    """Fleiss' kappa with its bootstrap interval over cases."""
    return whole([[row["said"], row["replied"]] for row in rows], list(Ruling))


def whole(cases: Sequence[Sequence[str]], words: Sequence[str]) -> Kappa:
    """Fleiss' kappa of cases that two people or more have given one of these words, with its bootstrap interval."""
    import numpy as np

    from temper.core.seed import Draws
    from temper.kernels.agreement import fleiss
    from temper.kernels.bootstrap import interval

    told = [[said.count(word) for word in words] for said in (list(case) for case in cases)]
    counts = np.array(told, dtype=int).reshape((-1, len(words)))
    agreed = _share(len(set(case)) == 1 for case in cases)
    if len(cases) < FEW or agreed.count == agreed.n:
        return Kappa(value=fleiss(counts), low=math.nan, high=math.nan, agreed=agreed)
    value, low, high = interval(fleiss, counts, rng=Draws(0, "store.agreement").generator())
    return Kappa(value=value, low=low, high=high, agreed=agreed)


def _pairs(rows: list[Row]) -> tuple[Pair, ...]:
    return pairs([{row["one"]: row["said"], row["two"]: row["replied"]} for row in rows], list(Ruling))


def pairs(cases: Sequence[Mapping[str, str]], words: Sequence[str]) -> tuple[Pair, ...]:
    """Cohen's kappa of every two people who gave the same cases one of these words, those with most cases first."""
    tables: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for case in cases:
        for one, two in combinations(sorted(case), 2):
            tables.setdefault((one, two), []).append((case[one], case[two]))
    found = [Pair(one=one, two=two, kappa=_cohen(answers, words)) for (one, two), answers in tables.items()]
    return tuple(sorted(found, key=lambda pair: (-pair.kappa.agreed.n, pair.one, pair.two)))


def _cohen(answers: list[tuple[str, str]], words: Sequence[str]) -> Kappa:
    from statistics import NormalDist

    from temper.kernels.agreement import cohen

    table = [[answers.count((str(one), str(two))) for two in words] for one in words]
    value, error = cohen(table)
    agreed = _share(one == two for one, two in answers)
    if len(answers) < FEW or error == 0:
        return Kappa(value=value, low=math.nan, high=math.nan, agreed=agreed)
    half = NormalDist().inv_cdf(0.975) * error
    return Kappa(value=value, low=max(-1.0, value - half), high=min(1.0, value + half), agreed=agreed)


def _reader(name: str, rows: list[Row]) -> Reader:
    misled = [row for row in rows if row["lean"] != row["truth"]]
    led = [row for row in rows if row["lean"] == row["truth"]]
    return Reader(
        name=name,
        right=_share(row["said"] == row["truth"] for row in rows),
        followed=_share(row["said"] != row["truth"] for row in misled),
        strayed=_share(row["said"] != row["truth"] for row in led),
    )


def _share(held: Iterable[bool]) -> Share:
    answers = list(held)
    return _of(sum(answers), len(answers))


def _of(count: int, n: int) -> Share:
    from temper.kernels.rate import wilson

    low, high = wilson(count, n)
    return Share(count=count, n=n, low=low, high=high)
