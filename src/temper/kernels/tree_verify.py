"""Exact verification of tree ensembles: what no point of a box can do to a margin, or the point that does it.

Source: Devos, Meert & Davis, "Versatile verification of tree ensembles", 2021 (best-first search over leaf boxes);
here depth first, with leaves struck out by the bound and boxes narrowed by what is left. Where columns share a budget
a Lagrangian bound joins in, see `kernels._jit_tree_verify_budget`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.trees import TreeMargin
from temper.kernels.tree_reach import Reach, reach
from temper.kernels.tree_single import is_single, leaf_boxes, nearest_leaf
from temper.kernels.tree_stumps import best_stumps, is_stumps
from temper.kernels.trees import thresholds, value

Floats = np.ndarray[Any, np.dtype[np.float64]]
Confirm = Callable[[Floats], Floats | None]
SINGLE = 2.0**-23
STATES = 100_000
_CHUNK, _SHARED_CHUNK = 2_000, 100
_TRIES = 64
_FLOORS = 4


class Proof(Enum):
    """CERTIFIED: no point of the box lifts the margin; BROKEN: here is one that does; UNKNOWN: the search was cut off,
    the margin is within rounding of zero, or what was found is not admissible.
    """

    CERTIFIED = "certified"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decision:
    """One row's proof; the margin cannot exceed `bound`, whatever the proof; `point` (d,) where it is BROKEN."""

    proof: Proof
    bound: float
    point: Floats | None = None
    states: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bracket:
    """Nothing nearer than `certified` changes the decision; the point at `broken` (infinite: none known) does."""

    certified: float
    broken: float
    point: Floats | None = None
    states: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verifier:
    """Margins made ready for the search: success is `every` margin above zero, or any of them.

    `digits` is the relative error of the model's own sum (single precision unless stated otherwise) and `extra` an
    absolute one; a margin within `extra + trees * digits * sum of |leaf|` of zero is nobody's.
    """

    forests: tuple[Any, ...]
    bases: tuple[float, ...]
    stumps: tuple[bool, ...]
    deepest: int
    margins: tuple[TreeMargin, ...]
    every: bool = False
    digits: float = SINGLE
    extra: float = 1e-12

    @staticmethod
    def of(margins: tuple[TreeMargin, ...], schema: Schema, **more: Any) -> Verifier:
        """A verifier of these margins over the columns of a Schema."""
        from temper.kernels._jit_tree_verify_paths import depths

        discrete = np.array([c.discrete for c in schema.columns] or [False] * margins[0].features)
        deepest = max(int(depths(m.feature, m.left, m.right)) for m in margins)
        forests = tuple(_forest(margin, discrete) for margin in margins)
        return Verifier(
            forests=forests,
            stumps=tuple(is_stumps(forest) for forest in forests),
            bases=tuple(margin.base for margin in margins),
            deepest=deepest,
            margins=margins,
            **more,
        )

    def slack(self, at: int, size: float) -> float:
        """How near to zero a margin is nobody's, where the largest |leaves| in reach sum up to `size`."""
        return self.extra + len(self.margins[at].root) * self.digits * size

    def shifted(self, bases: tuple[float, ...]) -> Verifier:
        """The same trees above other bases: one reading serves every row of a regression."""
        margins = tuple(replace(margin, base=base) for margin, base in zip(self.margins, bases, strict=True))
        return replace(self, bases=bases, margins=margins)


def verify(
    verifier: Verifier,
    box: Reach,
    row: int,
    *,
    states: int = STATES,
    confirm: Confirm | None = None,
    go_on: Callable[[], bool] | None = None,
    tighten: bool = True,
) -> Decision:
    """Decide one row of a reach. `confirm(point (d,))` gives the point that counts in its place, or None; without it,
    every point counts that lifts the margin beyond rounding. After `states` steps, or when `go_on` says no, the row is
    UNKNOWN with the best bound so far; unless `tighten` is off, as many steps again go into a lower one.
    """
    effort = _Effort(states=states, confirm=confirm, go_on=go_on, tighten=tighten)
    answers = []
    for at in range(len(verifier.forests)):
        answer = _one(verifier, at, box, row, effort)
        if answer.proof is (Proof.CERTIFIED if verifier.every else Proof.BROKEN):
            return answer
        answers.append(answer)
    if verifier.every:
        broken = [a for a in answers if a.proof is Proof.BROKEN]
        worst = min(answers, key=lambda a: a.bound)
        return broken[0] if broken else worst
    unknown = [a for a in answers if a.proof is Proof.UNKNOWN]
    used = sum(a.states for a in answers)
    top = max(unknown or answers, key=lambda a: a.bound)
    return Decision(proof=top.proof, bound=max(a.bound for a in answers), states=used)


def nearest_bound(
    verifier: Verifier,
    schema: Schema,
    x0: Any,
    norm: str,
    *,
    top: float,
    cost: float | None = None,
    steps: int = 14,
    gap: float = 0.01,
    states: int = STATES,
    confirm: Confirm | None = None,
    go_on: Callable[[], bool] | None = None,
) -> Bracket:
    """Bisect the radius of one row (1, ...) up to `top`: the bracket of its minimal distance, valid whenever it ends.

    It ends when the bracket is `gap` of its upper end wide, after `steps` decisions or `states` in all, or when `go_on`
    says no. A cost may limit the moves besides. Of a single tree the distance is known at once.
    """
    if is_single(verifier.forests) and not verifier.every:
        return _single(verifier, schema, x0, norm, top, cost, confirm)
    low, end, broken, point, used = 0.0, top, np.inf, None, 0
    radius = top
    for _ in range(steps):
        box = reach(schema, x0, norm, radius, cost)
        most = min(states - used, states // 3 + 1)
        answer = verify(verifier, box, 0, states=most, confirm=confirm, go_on=go_on, tighten=False)
        used += answer.states
        if answer.proof is Proof.CERTIFIED:
            low = max(low, radius)
        elif answer.point is not None:
            shaped = answer.point.reshape(np.shape(x0))
            away = float(schema.distance(shaped, np.asarray(x0, dtype=np.float64), norm)[0])
            if away < broken:
                broken, point = away, answer.point
        end = min(end, broken, radius if answer.proof is not Proof.CERTIFIED else np.inf)
        if low >= end or end - low <= gap * end or used >= states or (go_on is not None and not go_on()):
            break
        radius = (low + end) / 2
    return Bracket(certified=low, broken=broken, point=point, states=used)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Effort:
    """How long to search, what counts as a break, and whether a search that is cut off still looks for a bound."""

    states: int
    confirm: Confirm | None
    go_on: Callable[[], bool] | None
    tighten: bool


def _one(verifier: Verifier, at: int, box: Reach, row: int, effort: _Effort) -> Decision:
    """Search one margin until it is decided or the states are used up."""
    from temper.kernels._jit_tree_verify import begin, best_left
    from temper.kernels._jit_tree_verify_paths import cells, read

    forest, whole = verifier.forests[at], box.whole[row]
    start = cells(forest, box.low[row], box.high[row], box.valued[row], box.missing[row], whole)
    rule = _rule(forest, start, box, row)
    if verifier.stumps[at] and not box.sums:
        return _stumps(verifier, at, box, row, start, effort.confirm)
    paths, trees = read(forest, start, whole, verifier.bases[at], verifier.deepest)
    slack = verifier.slack(at, float(paths.base[1]))
    state = begin(forest, paths, trees, rule, start, -slack)
    doubt = -np.inf
    for found in _boxes((forest, paths, rule, state, -slack), effort):
        point = _point(forest, box, row, found)
        kept, value_here = _kept(verifier, at, point, slack, effort.confirm)
        if kept is not None:
            top = float(max(value_here, best_left(state)) + slack)
            return Decision(proof=Proof.BROKEN, bound=top, point=kept, states=int(state.at[1]))
        doubt = max(doubt, value_here + slack)
    left, used = float(best_left(state)), int(state.at[1])
    if effort.tighten and left > 0.0 and doubt == -np.inf and used >= effort.states:
        more, left = _lowered((forest, paths, trees, rule, start), left, effort.states // _FLOORS)
        used += more
    finished = state.at[0] < 0 and doubt == -np.inf
    return Decision(
        proof=Proof.CERTIFIED if finished else Proof.UNKNOWN, bound=max(doubt, left + slack, 0.0), states=used
    )


def _stumps(verifier: Verifier, at: int, box: Reach, row: int, start: Any, confirm: Confirm | None) -> Decision:
    """Decide a margin of stumps by its closed form."""
    forest = verifier.forests[at]
    total, size, found = best_stumps(forest, verifier.bases[at], start, box.whole[row])
    slack = verifier.slack(at, size)
    if total <= -slack:
        return Decision(proof=Proof.CERTIFIED, bound=total + slack)
    kept, _ = _kept(verifier, at, _point(forest, box, row, found), slack, confirm)
    return Decision(proof=Proof.UNKNOWN if kept is None else Proof.BROKEN, bound=total + slack, point=kept)


def _single(
    verifier: Verifier, schema: Schema, x0: Any, norm: str, top: float, cost: float | None, confirm: Confirm | None
) -> Bracket:
    """The bracket of a single tree: open only where a leaf is within rounding, or its nearest point does not count."""
    box = replace(reach(schema, x0, norm, top, cost), single=False)
    single = str(getattr(x0, "dtype", "")).endswith("float32")

    def leaves() -> Iterator[tuple[float, Floats, float]]:
        for at, forest in enumerate(verifier.forests):
            for margin, found in leaf_boxes(forest, verifier.bases[at], verifier.deepest, box, 0):
                slack = verifier.slack(at, abs(verifier.bases[at]) + abs(margin - verifier.bases[at]))
                point = _point(forest, box, 0, found)
                with np.errstate(invalid="ignore"):
                    gone = (found[:, 2] != 0) & (np.abs(point - box.x0[0]) / box.scale > 1.0)  # missing counts 1
                yield margin, np.where(gone, np.nan, point), slack

    def keep(point: Floats, above: float) -> Floats | None:
        return confirm(point) if confirm else point if above > 0 and not single else None

    held, broken, point = nearest_leaf(leaves(), schema, x0, norm, cost=cost, keep=keep)
    return Bracket(certified=min(held, broken, top), broken=broken, point=point)


def _kept(
    verifier: Verifier, at: int, point: Floats, slack: float, confirm: Confirm | None
) -> tuple[Floats | None, float]:
    """The point that counts in place of this one, if any, and the margin here."""
    values = _value(verifier, point)
    succeeds = (values > slack).all() if verifier.every else (values > slack).any()
    return (confirm(point) if confirm else point if succeeds else None), float(values[at])


def _lowered(parts: tuple[Any, ...], top: float, states: int) -> tuple[int, float]:
    """A better bound for a search that was cut off: the lowest of a few floors above zero that can be proven."""
    from temper.kernels._jit_tree_verify import CERTIFIED, begin, search

    forest, paths, trees, rule, start = parts
    found, used, low = np.empty((len(rule.here), 3), dtype=np.int32), 0, 0.0
    for _ in range(_FLOORS):
        floor = (low + top) / 2
        state = begin(forest, paths, trees, rule, start, floor)
        code = search(forest, paths, rule, state, floor, found, states)
        used += int(state.at[1])
        low, top = (low, floor) if code == CERTIFIED else (floor, top)
    return used, top


def _boxes(parts: tuple[Any, ...], effort: _Effort) -> Iterator[Any]:
    """The boxes above the floor one by one, until the search has ended or been cut off; at most `_TRIES`."""
    from temper.kernels._jit_tree_verify import BROKEN, CERTIFIED, search

    forest, paths, rule, state, floor = parts
    found = np.empty((len(rule.here), 3), dtype=np.int32)
    tries, chunk = 0, _SHARED_CHUNK if len(rule.limit) else _CHUNK
    while tries < _TRIES and (left := effort.states - int(state.at[1])) > 0:
        code = search(forest, paths, rule, state, floor, found, min(left, chunk))
        if code == CERTIFIED:
            return
        if code == BROKEN:
            tries += 1
            yield found
        elif effort.go_on is not None and not effort.go_on():
            return


def _forest(margin: TreeMargin, discrete: Any) -> Any:
    """The margin with its thresholds as cells."""
    from temper.kernels._jit_tree_verify_paths import Forest

    offsets, cuts = thresholds(margin)
    inner = margin.feature >= 0
    cut = np.zeros(len(margin.feature), dtype=np.int32)
    order: Any = np.argsort(margin.feature, kind="stable")[len(inner) - inner.sum() :]
    for own in np.split(order, np.flatnonzero(np.diff(margin.feature[order])) + 1):
        q, here = margin.feature[own[:1]], margin.threshold[own]
        at: Any = np.searchsorted(cuts[offsets[q].sum() : offsets[q + 1].sum()], here, side="left")
        cut[own] = np.where(here == -np.inf, -1, at)
    offset = offsets + np.arange(margin.features + 1)
    whole = np.ones(int(offset[-1]), dtype=bool)
    for q in range(margin.features):
        here = cuts[offsets[q] : offsets[q + 1]]
        whole[offset[q] + 1 : offset[q + 1] - 1] = np.ceil(here[:-1]) < here[1:]
    return Forest(
        margin.feature,
        cut,
        margin.left,
        margin.right,
        margin.missing_left,
        margin.value,
        margin.root,
        offset,
        cuts,
        whole,
    )


def _rule(forest: Any, cells: Any, box: Reach, row: int) -> Any:
    """The sums that limit a move from this row."""
    from temper.kernels._jit_tree_verify_budget import priced
    from temper.kernels._jit_tree_verify_paths import locate

    kinds = np.array([kind for kind, _ in box.sums], dtype=np.int64)
    limits = np.array([limit for _, limit in box.sums], dtype=np.float64)
    x0, whole = box.x0[row], box.whole[row]
    here = locate(forest, x0)
    return priced(forest, cells, kinds, limits, x0, here, box.scale, box.price, box.flat, box.counted, whole)


def _point(forest: Any, box: Reach, row: int, found: Any) -> Floats:
    """The value nearest to the clean one in every column's cells; missing where nothing else is possible."""
    x0, starts = box.x0[row], forest.offset[:-1] - np.arange(len(box.x0[row]))
    low, high, missing = found[:, 0], found[:, 1], found[:, 2] != 0
    ends = np.concatenate([forest.cuts, [np.inf]])
    counts = np.diff(forest.offset) - 1
    left = np.where(low > 0, ends[np.clip(starts + low - 1, 0, len(forest.cuts))], -np.inf)
    right = np.where(high < counts, np.nextafter(ends[np.clip(starts + high, 0, len(forest.cuts))], -np.inf), np.inf)
    left, right = np.fmax(left, box.low[row]), np.fmin(right, box.high[row])
    left, right = np.where(box.whole[row], np.ceil(left), left), np.where(box.whole[row], np.floor(right), right)
    if box.single:
        left, right = _in_single(left, right)
    start = np.where(np.isnan(x0), np.where(np.isfinite(left), left, np.where(np.isfinite(right), right, 0.0)), x0)
    near = np.minimum(np.maximum(start, left), right)
    stays = missing & (np.isnan(x0) | (low > high))
    return np.where(stays, np.nan, near)


def _in_single(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """The outermost single-precision numbers between the ends; the ends themselves where there is none."""
    up, down = left.astype(np.float32), right.astype(np.float32)
    up = np.where(up < left, np.nextafter(up, np.float32(np.inf)), up).astype(np.float64)
    down = np.where(down > right, np.nextafter(down, np.float32(-np.inf)), down).astype(np.float64)
    some = up <= down
    return np.where(some, up, left), np.where(some, down, right)


def _value(verifier: Verifier, point: Floats) -> Floats:
    """Every margin (m,) at one point."""
    return np.array([value(margin, point[None])[0] for margin in verifier.margins])
