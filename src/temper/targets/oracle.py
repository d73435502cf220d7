"""The only way an attack reaches a target: charges every row, checks the domain, judges, remembers the nearest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from temper.core.attack import Judge, Outcome, RowVerdict, Scene
from temper.core.data import Array
from temper.core.errors import ContractError, Unsupported
from temper.core.target import Access, ScoreKind, Target, TreeTarget
from temper.core.trees import TreeEnsemble
from temper.kernels.loss import decide, flagged_score
from temper.targets._array import copied, like, locked, moved, picked, spread, stacked, to_numpy, unknown
from temper.targets._ball import SLACK, admitted, occurrence, outside, rounding, told

Rows = np.ndarray[Any, Any]
_REPEATS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Per row: verdict and reason, nearest counted distance and cost, queries, queries at the first break, the winner
    and its score beside the clean one. `gradients` counts backward passes of the whole attack; `notes` is what the
    attack said of its own work, a number per row under a name.
    """

    verdicts: Rows
    reasons: tuple[str, ...]
    distance: Rows
    cost: Rows
    queries: Rows
    broken_at: Rows
    x_adv: Array
    clean_score: Rows
    score: Rows
    gradients: int
    seconds: float
    notes: dict[str, Rows] = field(default_factory=dict)


class Oracle:
    """Attacks propose, the oracle disposes.

    Any finite point may be asked and is charged to its row; only an admissible, in-ball point that reaches the goal
    counts, and the nearest one of each row is kept. One query of each row's budget is kept back to re-check the winner.
    Scores are NaN (labels -1) where a row has no budget left, is finished, or the target failed on it.
    """

    def __init__(self, target: Target, scene: Scene, judge: Judge, access: Access) -> None:
        # Copies: an attack that writes to what it was given moves neither the truth nor the start of a distance.
        scene = replace(scene, x=copied(scene.x), y=copied(scene.y))
        self._target, self._scene, self._judge, self._access = target, scene, judge, access
        n = len(scene.x)
        self._repeats = _REPEATS if target.stochastic else 1
        limit = scene.budget.queries
        self._limit = np.iinfo(np.int64).max if limit is None else max(limit - self._repeats, 0)
        self._spent = np.zeros(n, dtype=np.int64)
        self._broken_at = np.full(n, -1, dtype=np.int64)
        self._done = np.zeros(n, dtype=bool)
        self._error = np.zeros(n, dtype=bool)
        self._outside = outside(scene)
        self._reasons = [told(scene) if row else "" for row in self._outside]
        self._best = copied(scene.x)
        self._distance = np.full(n, np.inf)
        self._gradients = 0
        self._notes: dict[str, Rows] = {}
        self._started = time.monotonic()
        self._late = False
        self._slack = rounding(scene)
        self._y = to_numpy(scene.y)
        self._clean = self._ask_target(scene.x, np.arange(n))
        self._score = to_numpy(flagged_score(self._clean, scene.kind)).astype(float)
        self._clean_score = self._score.copy()

    # -- what attacks use -------------------------------------------------------------------------------------------

    @property
    def active(self) -> Rows:
        """Positions of the rows still worth working on."""
        return np.flatnonzero(self._open())

    @property
    def clean(self) -> Array:
        """Scores of the clean rows: what the attacker saw before the attack, not charged."""
        self._allow(Access.SCORES)
        return locked(self._clean)

    @property
    def best(self) -> tuple[Array, Rows]:
        """The nearest counted point of each row (the clean row where none) and its distance (infinite where none)."""
        return locked(self._best), locked(self._distance)

    @property
    def broken(self) -> Rows:
        """Mask of the rows that have a counted point: `best` without its copies."""
        return self._broken_at >= 0

    @property
    def left(self) -> Rows:
        """Queries each row may still ask."""
        return self._limit - self._spent

    def scores(self, x: Array, rows: Any) -> Array:
        """Scores (len(rows), classes) of candidates `x[i]` for the clean rows `rows[i]`; one query each."""
        self._allow(Access.SCORES)
        return self._query(x, np.asarray(rows))

    def labels(self, x: Array, rows: Any) -> Array:
        """Decisions (len(rows),) of candidates; one query each, -1 where refused.

        A regression has no classes: it tells 1 where the value has moved beyond the tolerance, 0 where it has not.
        """
        self._allow(Access.LABELS)
        rows = np.asarray(rows)
        scores = self._query(x, rows)
        refused = (scores != scores)[:, 0]
        if self._scene.kind is ScoreKind.VALUE:
            outcome = Outcome(scores=scores, y=self._y[rows], clean=self._clean[rows])
            labels = like(to_numpy(self._judge.judge(self._scene, outcome)).astype(np.int64), scores)
        else:
            labels = decide(scores, self._scene.kind, self._scene.threshold)
        labels[refused] = -1
        return labels

    def gradient(self, x: Array, rows: Any, cotangent: Callable[[Array, Any], Array]) -> tuple[Array, Array]:
        """Scores and d<cotangent(scores, rows), scores>/dx; one query plus one gradient each, NaN where refused."""
        self._allow(Access.GRADIENTS)
        rows = np.asarray(rows)
        allowed = self._charge(rows)
        if not allowed.any():
            return self._empty(len(rows)), x * float("nan")
        part, point = (rows, x) if allowed.all() else (rows[allowed], x[allowed])
        self._gradients += len(part)
        scores, slope = self._safely(partial(self._slope, cotangent), point, part)
        self._count(point, part, scores)
        return spread(scores, allowed), spread(slope, allowed)

    def trees(self) -> TreeEnsemble:
        """The model's trees; searching them costs no queries, submitting what was found does."""
        self._allow(Access.TREES)
        if not isinstance(self._target, TreeTarget):
            raise Unsupported(f"the {self._target.name} target has no trees to read")
        return self._target.trees()

    def propose(self, x: Array, rows: Any) -> None:
        """Submit points found by offline search; one query each."""
        self._query(x, np.asarray(rows))

    def done(self, rows: Any) -> None:
        """The strategy has finished with these rows: what was asked about and is not broken is HELD.

        Out of time nothing has been finished, whatever the strategy says.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if not self._late:
            self._done[rows[self._spent[rows] > 0]] = True

    def note(self, name: str, rows: Any, values: Any) -> None:
        """Keep one number per row that the attack says of its own work ("zero_gradient": share of its gradients)."""
        kept = self._notes.setdefault(name, np.full(len(self._spent), np.nan))
        kept[np.asarray(rows, dtype=np.int64)] = to_numpy(values)

    # -- what the engine uses ---------------------------------------------------------------------------------------

    def evidence(self) -> Evidence:
        """Re-check every winner on the raw target and close the books."""
        self._recheck()
        verdicts = np.full(len(self._spent), RowVerdict.UNTRIED.value, dtype=object)
        verdicts[self._done] = RowVerdict.HELD.value
        verdicts[self._broken_at >= 0] = RowVerdict.BROKEN.value
        verdicts[self._error] = RowVerdict.ERROR.value
        for row in np.flatnonzero(verdicts == RowVerdict.UNTRIED.value):
            self._reasons[row] = self._reasons[row] or self._why_untried(row)
        broken = self._broken_at >= 0
        cost = np.full(len(broken), np.nan)
        if broken.any():
            cost[broken] = to_numpy(self._scene.schema.cost(self._best[broken], self._scene.x[broken]))
        return Evidence(
            verdicts=verdicts.astype(str),
            reasons=tuple(self._reasons),
            distance=self._distance,
            cost=cost,
            queries=self._spent,
            broken_at=self._broken_at,
            x_adv=self._best,
            clean_score=self._clean_score,
            score=self._score,
            gradients=self._gradients,
            seconds=time.monotonic() - self._started,
            notes=self._notes,
        )

    def _why_untried(self, row: Any) -> str:
        if self._late:
            return "time"
        if self._spent[row] == 0:
            return "no query budget" if self._limit == 0 else "the attack found nothing to ask"
        return "query budget spent before the strategy had finished"

    # -- inside -----------------------------------------------------------------------------------------------------

    def _allow(self, wanted: Access) -> None:
        if wanted & ~self._access:
            raise Unsupported(f"this attack asked for {wanted.words()} and declares only {self._access.words()}")

    def _open(self) -> Rows:
        """Mask of the rows that may be asked about."""
        if self._out_of_time():
            return np.zeros(len(self._spent), dtype=bool)
        shut = self._done | self._error | self._outside | (self._spent >= self._limit)
        if self._scene.mode == "first":
            shut |= self._broken_at >= 0
        return ~shut

    def _query(self, x: Array, rows: Rows) -> Array:
        allowed = self._charge(rows)
        if allowed.all():
            scores = self._ask_target(x, rows)
            self._count(x, rows, scores)
            return scores
        scores = self._empty(len(rows))
        if allowed.any():
            part = rows[allowed]
            answers = self._ask_target(x[allowed], part)
            self._count(x[allowed], part, answers)
            scores[allowed] = answers
        return scores

    def _charge(self, rows: Rows) -> Rows:
        """Which candidates are paid for; several candidates of one row are paid in order."""
        counts = np.bincount(rows, minlength=len(self._spent))
        allowed: Rows = self._open()[rows]
        over = self._spent + counts > self._limit
        if over.any() and over[rows].any():
            allowed &= self._spent[rows] + occurrence(rows) < self._limit
            counts = np.bincount(rows[allowed], minlength=len(self._spent))
        elif not allowed.all():
            counts = np.bincount(rows[allowed], minlength=len(self._spent))
        self._spent += counts
        return allowed

    def _count(self, x: Array, rows: Rows, scores: Array) -> None:
        """Judge what was paid for, keep what counts."""
        if not len(rows):
            return
        answers = to_numpy(scores)
        clean = to_numpy(self._clean)[rows] if self._scene.tolerance else None
        outcome = Outcome(scores=answers, y=self._y[rows], clean=clean)
        hits = self._judge.judge(self._scene, outcome)
        if not (known := np.isfinite(answers)).all():
            hits = hits & known.all(1)
        if (at := np.flatnonzero(hits)).size:
            self._keep(x, rows, answers, at)

    def _keep(self, x: Array, asked: Rows, answers: Rows, at: Rows) -> None:
        """Of the hits, which stand at `at` among the candidates: those inside the budget and the domain."""
        schema, budget = self._scene.schema, self._scene.budget
        x, rows = picked(x, at), asked[at]
        x0 = picked(self._scene.x, rows)
        distance = to_numpy(schema.distance(x, x0, budget.norm))
        counts = distance < self._distance[rows]  # the distance of an unbroken row is infinite
        if (free := counts & (distance == 0)).any():
            counts[free] = moved(x[free], x0[free])
        if budget.radius is not None:
            counts &= distance <= budget.radius * (1 + SLACK) + self._slack
        if budget.cost is not None:
            counts &= to_numpy(schema.cost(x, x0)) <= budget.cost * (1 + SLACK) + self._slack
        every = (self._broken_at < 0) | self._target.stochastic  # of other rows the nearest alone matters
        counts = admitted(schema, x, x0, rows, np.where(counts, distance, np.inf), every)
        if not counts.any():
            return
        number = self._numbers(asked)[at]
        if self._target.stochastic:
            counts = self._confirmed(x, rows, counts)
        first = np.flatnonzero(counts & (self._broken_at[rows] < 0))[::-1]
        self._broken_at[rows[first]] = number[first]  # backwards, so that a row's earliest candidate is written last
        nearer = np.flatnonzero(counts)
        nearer = nearer[np.lexsort((distance[nearer], rows[nearer]))]
        nearer = nearer[occurrence(rows[nearer]) == 0]  # the nearest of several candidates of one row
        kept = rows[nearer]
        self._distance[kept], self._best[kept] = distance[nearer], x[nearer]
        self._score[kept] = flagged_score(answers[at[nearer]].astype(float), self._scene.kind)

    def _numbers(self, rows: Rows) -> Rows:
        """The number of each candidate among its row's queries, whatever the size of the batch."""
        numbers: Rows = self._spent[rows] - np.bincount(rows)[rows] + occurrence(rows) + 1
        return numbers

    def _confirmed(self, x: Array, rows: Rows, counts: Rows) -> Rows:
        """A random model gives lucky answers: a hit counts when most of some further answers say the same, charged.

        Without the budget for it a row's first hit is left to the last check, a nearer one is dropped.
        """
        hits = np.flatnonzero(counts)
        price = self._repeats * (occurrence(rows[hits]) + 1)
        paid = self._spent[rows[hits]] + price <= self._limit
        counts = counts.copy()
        counts[hits[~paid & (self._broken_at[rows[hits]] >= 0)]] = False
        hits = hits[paid]
        if len(hits):
            self._spent += self._repeats * np.bincount(rows[hits], minlength=len(self._spent))
            counts[hits] = self._wins(x[hits], rows[hits]) * 2 > self._repeats
        return counts

    def _wins(self, x: Array, rows: Rows) -> Rows:
        """How many of the repeated answers to these points reach the goal."""
        wins = np.zeros(len(rows))
        clean = to_numpy(self._clean)[rows]
        for _ in range(self._repeats):
            outcome = Outcome(scores=to_numpy(self._ask_target(x, rows)), y=self._y[rows], clean=clean)
            wins += self._judge.judge(self._scene, outcome)
        return wins

    def _ask_target(self, x: Array, rows: Rows) -> Array:
        scores: Array = self._safely(lambda x, rows: (self._target.scores(x),), x, rows)[0]
        return scores

    def _slope(self, cotangent: Callable[[Array, Any], Array], x: Array, rows: Rows) -> tuple[Array, Array]:
        def weights(scores: Array) -> Array:
            try:
                return cotangent(scores, rows)
            except Exception as crash:  # the attack's own mistake is not the target's
                raise ContractError(f"the attack's cotangent failed: {type(crash).__name__}: {crash}") from crash

        return self._target.gradient(x, weights)

    def _safely(self, ask: Callable[[Array, Rows], tuple[Array, ...]], x: Array, rows: Rows) -> tuple[Array, ...]:
        """Scores first; when the target fails, halve until the failing rows stand alone, and mark them ERROR."""
        try:
            answers = ask(x, rows)
            if len(answers[0]) != len(x):
                came = f"the target gave {len(answers[0])} scores for {len(x)} rows"
                raise ContractError(came, fix="return one per row")
        except (ContractError, Unsupported):
            raise
        except Exception as crash:
            if len(x) == 1:
                self._fail(rows, f"the target failed: {type(crash).__name__}: {crash}")
                return self._empty(1), unknown(x)
            half = len(x) // 2
            halves = self._safely(ask, x[:half], rows[:half]), self._safely(ask, x[half:], rows[half:])
            return tuple(stacked(list(parts)) for parts in zip(*halves, strict=False))
        if not (known := np.isfinite(to_numpy(answers[0]))).all():
            self._fail(rows[~known.all(1)], "the target answered with a number that is not finite")
        return answers

    def _fail(self, rows: Rows, reason: str) -> None:
        for row in rows:
            self._error[row], self._reasons[row] = True, reason

    def _empty(self, n: int) -> Array:
        width = self._clean.shape[1] if hasattr(self, "_clean") else max(self._target.classes, 1)
        return like(np.full((n, width), np.nan), self._scene.x)

    def _recheck(self) -> None:
        """Winners must win again: once, or in most of five repeats for a target declared stochastic."""
        rows = np.flatnonzero((self._broken_at >= 0) & ~self._error)
        if not len(rows):
            return
        wins = self._wins(self._best[rows], rows)
        self._spent[rows] += self._repeats
        lost = rows[wins * 2 <= self._repeats]
        if not self._target.stochastic:
            self._fail(lost, "the target answered differently when asked again (declare `stochastic: true`)")
        self._broken_at[lost] = -1
        for row in lost:
            self._reasons[row] = self._reasons[row] or "the random model took its success back when asked again"

    def _out_of_time(self) -> bool:
        limit = self._scene.budget.seconds
        if limit is not None and time.monotonic() - self._started > limit:
            self._late = True
        return self._late


class Meter:
    """A counted door to a target for attacks that query rows of their own making (extraction).

    `scores` charges one query per row and gives NaN beyond the budget.
    """

    def __init__(self, target: Target, queries: int) -> None:
        self._target, self._left, self.spent = target, queries, 0

    def scores(self, x: Array) -> Array:
        """Scores (n, classes); rows beyond the budget are NaN and not sent."""
        send = min(len(x), self._left)
        answers = self._target.scores(x[:send]) if send else np.empty((0, max(self._target.classes, 1)))
        self._left -= send
        self.spent += send
        if send == len(x):
            return answers
        return np.concatenate([answers, np.full((len(x) - send, answers.shape[1]), np.nan)])
