"""Boxes of few columns that hold more new rows than an earlier table lets expect, and which of them look stamped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.kernels.additive import contributions
from temper.kernels.boxes import Box, heaviest_boxes, inside, widened

Rows = np.ndarray[Any, Any]

ODDS = 2.0
"""A box is not over-full while new rows are less than twice as likely in it as the rows around it let expect."""

UNLIKE = 4.0
"""Its rows look stamped while they lie within so many standard deviations of rows of a class drawn at random."""

FEWEST = 50
_AGAIN = 6
_LIFT, _EDGE = 10.0, 1e-5
_DREW, _FIXED, _APART, _SAME, _COLUMNS = 100, 4, 0.4, 0.9, 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OverFull:
    """A box: `new` rows of the tested half, `expected` of them by a model of the rows outside, `accepted` ones beside.

    Column d of the box is the label. `p` is the chance of so few accepted rows, `rows` are the positions of all new
    rows in the box. `unlike`: how far these lie, in the columns outside the box, from rows of a class drawn at random,
    in standard deviations; NaN where there are too few columns to say.
    """

    box: Box
    new: int
    accepted: int
    expected: float
    p: float
    rows: Rows
    unlike: float = np.nan

    @property
    def stamped(self) -> bool:
        """Whether nothing but the box sets its rows apart, as where a stamp was put on rows taken at random."""
        return self.unlike <= UNLIKE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """`x` (n, d + 1) with the label last, NaN where a value is missing; `filled` has infinity there.

    `chooses` is the half that chooses boxes, `live` the rows not in a box yet, `margin` (n,) the log-odds of an
    accepted row by an additive model fitted on the other half, and `parts` (n, d + 1) what columns add to it.
    """

    x: Rows
    filled: Rows
    new: Rows
    chooses: Rows
    live: Rows
    unordered: Rows
    follows: Rows
    parts: Rows
    margin: Rows


def scan(
    x: Rows,
    y: Rows,
    new: Rows,
    unordered: Rows,
    follows: Rows,
    chooses: Rows,
    *,
    level: float = 1e-3,
    progress: Callable[[float], object] = id,
) -> list[OverFull]:
    """Over-full boxes in the order in which they were found, each without the rows of those before it.

    The rows of `chooses` (n,), a random half, choose boxes, the others test them, so that searching costs no false
    alarms; `level` is shared by the boxes tested (Bonferroni). `x` (n, d) has NaN where a value is missing, `y` (n,)
    class numbers, `new` (n,) False for accepted rows; `unordered` (d,) are categories, `follows` (d,) columns that are
    computed from others.
    """
    table = np.column_stack([x, y])
    ends = np.append(unordered, True), np.append(follows, True)
    gone = np.zeros(len(x), dtype=bool)
    found: list[OverFull] = []
    while len(found) < _AGAIN and min((new & ~gone).sum(), (~new).sum()) >= FEWEST:
        live = _described(table, new, chooses, ~gone, *ends)
        boxes = _boxes(live)
        tested = [one for box in boxes if (one := _tested(live, box, level / len(boxes))) is not None]
        progress((len(found) + 1) / _AGAIN)
        if not tested:
            break
        best = min(tested, key=lambda one: one.p)
        found.append(replace(best, unlike=_unlike(live, best.box, best.rows)))
        gone |= inside(live.filled, widened(best.box, ends[0])) & new
    return found


def _described(x: Rows, new: Rows, chooses: Rows, live: Rows, unordered: Rows, follows: Rows) -> _Table:
    parts, margin = np.zeros(x.shape), np.zeros(len(x))
    for half in (chooses, ~chooses):
        model = _fitted(x[half & live], ~new[half & live], leaves=2)
        base, parts[~half] = contributions(model, x[~half], x[:1])
        margin[~half] = base + parts[~half].sum(axis=1)
    return _Table(
        x=x,
        filled=np.where(np.isnan(x), np.inf, x),
        new=new,
        chooses=chooses,
        live=live,
        unordered=unordered,
        follows=follows,
        parts=parts - parts.mean(axis=0),
        margin=margin,
    )


def _fitted(x: Rows, accepted: Rows, leaves: int = 31) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    shape = (
        {"max_iter": 60, "learning_rate": 0.15, "min_samples_leaf": 50}
        if leaves == 2
        else {"max_iter": 30, "learning_rate": 0.2}
    )
    model = HistGradientBoostingClassifier(**shape, max_leaf_nodes=leaves, early_stopping=False, random_state=0)
    return model.fit(x, accepted.astype(int))


def _boxes(table: _Table) -> list[Box]:
    """The heaviest boxes of the half that chooses: as if nothing had drifted, and beyond what columns drifted alone.

    The second leaves out the two columns a search starts from, whose drift may be the stamp's own.
    """
    rows = np.flatnonzero(table.live & table.chooses)
    x, new = table.filled[rows], table.new[rows]
    share = float((~new).mean())
    flat = _weight(np.full(len(rows), np.log(share / (1.0 - share))), new)

    def apart(i: int, j: int) -> Rows:
        return _weight((table.margin - table.parts[:, i] - table.parts[:, j])[rows], new)

    return [*heaviest_boxes(x, lambda i, j: flat, table.unordered), *heaviest_boxes(x, apart, table.unordered)]


def _weight(margin: Rows, new: Rows) -> Rows:
    """The log-likelihood ratio of a row where the odds of an accepted row are a tenth of what its columns say."""
    p = _probability(margin)
    faded = p / _LIFT / (1.0 - p + p / _LIFT)
    return np.asarray(np.where(new, np.log((1.0 - faded) / (1.0 - p)), np.log(faded / p)))


def _probability(margin: Rows) -> Rows:
    return np.asarray(np.clip(1.0 / (1.0 + np.exp(-np.clip(margin, -15.0, 15.0))), _EDGE, 1.0 - _EDGE))


def _tested(table: _Table, box: Box, level: float) -> OverFull | None:
    """The box, tested on the other half against a model of all rows outside; None where it is not over-full.

    The share of new rows outside is asked first, as that costs nothing.
    """
    mine = inside(table.filled, box) & table.live
    rows, left = np.flatnonzero(mine & ~table.chooses), table.live & ~mine
    new = int(table.new[rows].sum())
    outside = ~table.new[left]
    if not new or min(outside.sum(), (~outside).sum()) < FEWEST:
        return None
    if _fewer(len(rows) - new, np.full(len(rows), outside.mean())) > level:
        return None
    p = _probability(_fitted(table.x[left], outside).decision_function(table.x[rows]))
    chance = _fewer(len(rows) - new, p)
    if chance > level:
        return None
    all_rows = np.flatnonzero(mine & table.new)
    expected = float((1.0 - p).sum())
    return OverFull(box=box, new=new, accepted=len(rows) - new, expected=expected, p=chance, rows=all_rows)


def _fewer(accepted: int, p: Rows) -> float:
    """The chance of so few accepted rows if new ones were twice as likely as their columns say.

    Binomial at the mean chance, whose lower tail is the heavier one (Hoeffding, "On the distribution of the number of
    successes in independent trials", 1956).
    """
    from scipy.stats import binom

    natural = p / ODDS / (1.0 - p + p / ODDS)
    return float(binom.cdf(accepted, len(p), natural.mean()))


def _unlike(table: _Table, box: Box, rows: Rows) -> float:
    """How far the rows lie from accepted rows of a class, beyond as many of these at random; the least of the classes.

    In the columns outside the box that follow from no others. What drifted by nature is set apart in these too:
    customers, times and places have their own habits.
    """
    columns = [at for at in np.flatnonzero(~table.follows) if at not in box]
    usual = ~table.new & ~inside(table.filled, box)
    found = []
    for label in np.unique(table.x[:, -1]):
        held = table.filled[usual & (table.x[:, -1] == label)][:, columns]
        told = (held != held[:1]).any(axis=0)
        if len(held) >= FEWEST:
            found.append(_excess(table.filled[rows][:, columns][:, told], held[:, told]))
    return min((one for one in found if not np.isnan(one)), default=np.nan)


def _excess(rows: Rows, held: Rows) -> float:
    """The mean squared distance of distribution functions, less that of rows drawn at random, in their deviations.

    Up to four columns that are as good as fixed are left out: a stamp may have more columns than its box.
    """
    ordered = np.sort(held, axis=0)
    distance = _distances(rows, ordered)
    order = np.argsort(-distance)
    fixed = [at for at in order[:_FIXED] if distance[at] >= _APART or _usual(rows[:, at]) >= _SAME]
    kept = np.setdiff1d(order, fixed)
    if len(kept) < _COLUMNS:
        return np.nan
    generator = np.random.Generator(np.random.Philox(key=0))
    few = ordered[:, kept]
    drawn = [held[generator.integers(0, len(held), len(rows))][:, kept] for _ in range(_DREW)]
    usual = [float((_distances(one, few) ** 2).mean()) for one in drawn]
    return (float((distance[kept] ** 2).mean()) - float(np.mean(usual))) / max(float(np.std(usual)), 1e-12)


def _usual(values: Rows) -> float:
    """The share of the commonest value."""
    return float(np.unique(values, return_counts=True)[1].max() / len(values))


def _distances(rows: Rows, ordered: Rows) -> Rows:
    return np.array([_distance(rows[:, at], ordered[:, at]) for at in range(rows.shape[1])])


def _distance(values: Rows, ordered: Rows) -> float:
    """Kolmogorov's distance."""
    seen, count = np.unique(values, return_counts=True)
    ours = np.cumsum(count) / len(values)
    below, upto = (np.searchsorted(ordered, seen, side=side) / len(ordered) for side in ("left", "right"))
    return float(max(np.abs(ours - upto).max(), np.abs(ours - count / len(values) - below).max()))
