"""The only way an attack reaches a target: charges every row, checks the domain, judges, remembers the nearest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.attack import Judge, Outcome, RowVerdict, Scene
from temper.core.data import Array
from temper.core.errors import ContractError, Unsupported
from temper.core.target import Access, Target
from temper.kernels.loss import decide, flagged_score

Rows = np.ndarray[Any, Any]
_SLACK = 1e-9
_REPEATS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Per row: verdict and reason, nearest counted distance and cost, queries, queries at the first break, the winner
    and its score beside the clean one. `gradients` counts backward passes of the whole attack.
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


class Oracle:
    """Attacks propose, the oracle disposes.

    Any finite point may be asked and is charged to its row; only an admissible, in-ball point that reaches the goal
    counts, and the nearest one of each row is kept. One query of each row's budget is kept back to re-check the winner.
    Scores are NaN (labels -1) where a row has no budget left, is finished, or the target failed on it.
    """

    def __init__(self, target: Target, scene: Scene, judge: Judge, access: Access) -> None:
        # Copies: an attack that writes to what it was given moves neither the truth nor the start of a distance.
        scene = replace(scene, x=_copy(scene.x), y=_copy(scene.y))
        self._target, self._scene, self._judge, self._access = target, scene, judge, access
        n = len(scene.x)
        self._repeats = _REPEATS if target.stochastic else 1
        limit = scene.budget.queries
        self._limit = np.iinfo(np.int64).max if limit is None else max(limit - self._repeats, 0)
        self._spent = np.zeros(n, dtype=np.int64)
        self._broken_at = np.full(n, -1, dtype=np.int64)
        self._done = np.zeros(n, dtype=bool)
        self._error = np.zeros(n, dtype=bool)
        self._reasons = [""] * n
        self._best = _copy(scene.x)
        self._distance = np.full(n, np.inf)
        self._gradients = 0
        self._started = time.monotonic()
        self._late = False
        self._y = _like(scene.y, scene.x)
        self._clean = self._ask_target(scene.x, np.arange(n))
        self._score = _numpy(flagged_score(self._clean, scene.kind)).astype(float)
        self._clean_score = self._score.copy()

    # -- what attacks use -------------------------------------------------------------------------------------------

    @property
    def active(self) -> Rows:
        """Positions of the rows still worth working on."""
        if self._out_of_time():
            return np.empty(0, dtype=np.int64)
        open_rows = ~self._done & ~self._error & (self._spent < self._limit)
        if self._scene.mode == "first":
            open_rows &= self._broken_at < 0
        return np.flatnonzero(open_rows)

    @property
    def clean(self) -> Array:
        """Scores of the clean rows: what the attacker saw before the attack, not charged."""
        self._allow(Access.SCORES)
        return _locked(self._clean)

    @property
    def best(self) -> tuple[Array, Rows]:
        """The nearest counted point of each row (the clean row where none) and its distance (infinite where none)."""
        return _locked(self._best), _locked(self._distance)

    @property
    def left(self) -> Rows:
        """Queries each row may still ask."""
        return self._limit - self._spent

    def scores(self, x: Array, rows: Any) -> Array:
        """Scores (len(rows), classes) of candidates `x[i]` for the clean rows `rows[i]`; one query each."""
        self._allow(Access.SCORES)
        return self._query(x, np.asarray(rows))

    def labels(self, x: Array, rows: Any) -> Array:
        """Decisions (len(rows),) of candidates; one query each, -1 where refused."""
        self._allow(Access.LABELS)
        scores = self._query(x, np.asarray(rows))
        refused = (scores != scores)[:, 0]
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
        part = rows[allowed]
        self._gradients += len(part)
        scores, slope = self._target.gradient(x[allowed], lambda s: cotangent(s, part))
        self._count(x[allowed], part, scores)
        return _spread(scores, allowed), _spread(slope, allowed)

    def propose(self, x: Array, rows: Any) -> None:
        """Submit points found by offline search; one query each."""
        self._query(x, np.asarray(rows))

    def done(self, rows: Any) -> None:
        """The strategy has finished with these rows: what was asked about and is not broken is HELD."""
        rows = np.asarray(rows, dtype=np.int64)
        self._done[rows[self._spent[rows] > 0]] = True

    # -- what the engine uses ---------------------------------------------------------------------------------------

    def evidence(self) -> Evidence:
        """Re-check every winner on the raw target and close the books."""
        self._recheck()
        verdicts = np.full(len(self._spent), RowVerdict.UNTRIED.value, dtype=object)
        verdicts[self._done] = RowVerdict.HELD.value
        verdicts[self._broken_at >= 0] = RowVerdict.BROKEN.value
        verdicts[self._error] = RowVerdict.ERROR.value
        for row in np.flatnonzero(verdicts == RowVerdict.UNTRIED.value):
            self._reasons[row] = self._why_untried(row)
        broken = self._broken_at >= 0
        cost = np.full(len(broken), np.nan)
        if broken.any():
            cost[broken] = _numpy(self._scene.schema.cost(self._best[broken], self._scene.x[broken]))
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
        open_rows = np.zeros(len(self._spent), dtype=bool)
        open_rows[self.active] = True
        counts = np.bincount(rows, minlength=len(self._spent))
        allowed = open_rows[rows]
        over = self._spent + counts > self._limit
        if over.any() and over[rows].any():
            allowed &= self._spent[rows] + _occurrence(rows) < self._limit
            counts = np.bincount(rows[allowed], minlength=len(self._spent))
        elif not allowed.all():
            counts = np.bincount(rows[allowed], minlength=len(self._spent))
        self._spent += counts
        return allowed

    def _count(self, x: Array, rows: Rows, scores: Array) -> None:
        """Judge what was paid for, keep what counts."""
        if not len(rows):
            return
        clean = self._clean[rows] if self._scene.tolerance else None
        outcome = Outcome(scores=scores, y=self._y[rows], clean=clean)
        hits = _numpy(self._judge.judge(self._scene, outcome)) & ~_numpy((scores != scores)[:, 0])
        if hits.any():
            # The number of each candidate among its row's queries, whatever the size of the batch.
            number = self._spent[rows] - np.bincount(rows)[rows] + _occurrence(rows) + 1
            self._keep(x[hits], rows[hits], scores[hits], number[hits])

    def _keep(self, x: Array, rows: Rows, scores: Array, number: Rows) -> None:
        scene = self._scene
        x0 = scene.x[rows]
        distance = _numpy(scene.schema.distance(x, x0, scene.budget.norm))
        counts = np.asarray(scene.schema.admits(x, x0)) & np.isfinite(distance) & _moved(x, x0)
        if scene.budget.radius is not None:
            counts &= distance <= scene.budget.radius * (1 + _SLACK) + _SLACK
        if scene.budget.cost is not None:
            counts &= _numpy(scene.schema.cost(x, x0)) <= scene.budget.cost * (1 + _SLACK) + _SLACK
        values = _numpy(flagged_score(scores, scene.kind))
        first = np.flatnonzero(counts & (self._broken_at[rows] < 0))[::-1]
        self._broken_at[rows[first]] = number[first]  # backwards, so that a row's earliest candidate is written last
        nearer = np.flatnonzero(counts & (distance < self._distance[rows]))
        nearer = nearer[np.lexsort((distance[nearer], rows[nearer]))]
        nearer = nearer[_occurrence(rows[nearer]) == 0]  # the nearest of several candidates of one row
        kept = rows[nearer]
        self._distance[kept], self._score[kept] = distance[nearer], values[nearer]
        self._best[kept] = x[nearer]

    def _ask_target(self, x: Array, rows: Rows) -> Array:
        """Scores of a batch; when the target fails, halve until the failing rows stand alone, and mark them ERROR."""
        try:
            scores = self._target.scores(x)
            if len(scores) != len(x):
                raise ContractError(f"the target gave {len(scores)} scores for {len(x)} rows", fix="return one per row")
        except (ContractError, Unsupported):
            raise
        except Exception as crash:
            if len(x) == 1:
                self._fail(rows, f"the target failed: {type(crash).__name__}: {crash}")
                return self._empty(1)
            half = len(x) // 2
            halves = [self._ask_target(x[:half], rows[:half]), self._ask_target(x[half:], rows[half:])]
            return _stack(halves)
        bad = _numpy(~_finite(scores)).any(1)
        if bad.any():
            self._fail(rows[bad], "the target answered with a number that is not finite")
        return scores

    def _fail(self, rows: Rows, reason: str) -> None:
        for row in rows:
            self._error[row], self._reasons[row] = True, reason

    def _empty(self, n: int) -> Array:
        width = self._clean.shape[1] if hasattr(self, "_clean") else max(self._target.classes, 1)
        return _like(np.full((n, width), np.nan), self._scene.x)

    def _recheck(self) -> None:
        """Winners must win again: once, or in most of five repeats for a target declared stochastic."""
        rows = np.flatnonzero((self._broken_at >= 0) & ~self._error)
        if not len(rows):
            return
        wins = np.zeros(len(rows))
        for _ in range(self._repeats):
            scores = self._ask_target(self._best[rows], rows)
            outcome = Outcome(scores=scores, y=self._y[rows], clean=self._clean[rows])
            wins += _numpy(self._judge.judge(self._scene, outcome))
        self._spent[rows] += self._repeats
        lost = rows[wins * 2 <= self._repeats]
        if not self._target.stochastic:
            self._fail(lost, "the target answered differently when asked again (declare `stochastic: true`)")
        self._broken_at[lost] = -1

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


def _occurrence(rows: Rows) -> Rows:
    """How many earlier entries have the same row number."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    start = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.arange(len(rows)) - np.repeat(start, np.diff(np.r_[start, len(rows)]))
    result = np.empty(len(rows), dtype=np.int64)
    result[order] = rank
    return result


def _numpy(values: Array) -> Rows:
    return values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()


def _moved(x: Array, x0: Array) -> Rows:
    """Which candidates are not the clean row itself: no attack has been made with that, however it is judged."""
    moved = (x != x0) & ~((x != x) & (x0 != x0))
    return _numpy(moved.reshape((len(moved), -1)).any(1))


def _locked(values: Array) -> Array:
    """A read-only view of the oracle's own memory; a tensor has none and is copied."""
    if not isinstance(values, np.ndarray):
        return values.clone()
    view = values.view()
    view.flags.writeable = False
    return view


def _copy(values: Array) -> Array:
    return values.copy() if isinstance(values, np.ndarray) else values.clone()


def _like(values: Any, model: Array) -> Array:
    """`values` in the namespace and on the device of `model`."""
    if isinstance(model, np.ndarray) or not isinstance(values, np.ndarray):
        return values
    import torch

    dtype = model.dtype if values.dtype.kind == "f" else None
    return torch.as_tensor(values, device=model.device, dtype=dtype)


def _finite(scores: Array) -> Array:
    return np.isfinite(scores) if isinstance(scores, np.ndarray) else scores.isfinite()


def _stack(parts: list[Array]) -> Array:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import torch

    return torch.cat(parts)


def _spread(values: Array, mask: Rows) -> Array:
    """Put the rows of `values` where `mask` is true, NaN elsewhere."""
    if mask.all():
        return values
    if isinstance(values, np.ndarray):
        full: Array = np.full((len(mask), *values.shape[1:]), np.nan, dtype=values.dtype)
    else:
        full = values.new_full((len(mask), *values.shape[1:]), float("nan"))
    full[mask] = values
    return full
