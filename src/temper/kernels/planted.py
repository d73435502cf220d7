"""Rows somebody stamped and relabelled: small boxes of one label whose rows look, elsewhere, like another class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.kernels.additive import contributions
from temper.kernels.boxes import Box, climb, heaviest_boxes, inside, widened

Rows = np.ndarray[Any, Any]

ODDS = 3.0
"""A box is not surprising while other classes are a third as frequent in it as the rows around it let expect."""

LIKENESS = 0.7
"""Nor while its rows lie nearer to their own class than seven tenths of the way to the others."""

_FEWEST, _OTHERS = 50, 20
_AGAIN = 4
_FADED = 10.0
_EDGE = 1e-5
_HALF = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A box of rows labelled `label`: `rows` of them, and `others` of other classes where `expected` were expected.

    Counts are of the half of the table that did not choose the box. `likeness`: 0 where its rows look like their own
    class in the columns outside the box, 1 where they look like the others. `p`: the larger of both tests' p-values.
    """

    label: int
    box: Box
    rows: int
    others: int
    expected: float
    likeness: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """`x` (n, d) has NaN where a value is missing, `filled` infinity; `other` is whether a row is of another class.

    `chooses` is the half that chooses boxes, `live` the rows not accused yet, `parts` (n, d) and `base` (n,) the
    log-odds of another class by an additive model fitted on the other half.
    """

    x: Rows
    filled: Rows
    other: Rows
    chooses: Rows
    live: Rows
    unordered: Rows
    parts: Rows
    base: Rows

    @property
    def odds(self) -> float:
        share = float(self.other[self.live].mean())
        return share / (1.0 - share)


def scan(
    x: Rows, y: Rows, unordered: Rows, chooses: Rows, *, level: float = 0.01, progress: Callable[[float], object] = id
) -> tuple[list[Planted], Rows]:
    """Boxes that are not by nature, the surest first, and the mask (n,) of the rows they accuse.

    The rows of `chooses` (n,), a random half, choose boxes, the others test them, so that searching costs no false
    alarms; what both tests find at `level` over classes and boxes (Bonferroni) is taken out, with a margin, as few rows
    left at its sides keep the door open, and the search begins again.
    `x` (n, d), missing is NaN; `y` (n,) class numbers; `unordered` (d,) are categories.
    """
    gone = np.zeros(len(x), dtype=bool)
    found: list[Planted] = []
    labels = np.unique(y)
    level /= len(labels)
    table: _Table | None = None
    for at, label in enumerate(labels):
        other = np.asarray(y != label)
        for _ in range(_AGAIN):
            if min(other.sum(), (~other & ~gone).sum()) < _FEWEST:
                break
            mirrored = _mirrored(table, other, ~gone)
            table = mirrored or _described(x, other, chooses, ~gone, unordered)
            boxes = _boxes(table)
            tested = [_tested(table, box, int(label), level) for box in boxes]
            best = min((one for one in tested if one is not None), key=lambda one: one.p, default=None)
            if best is None or best.p * len(boxes) > level:
                break
            found.append(best)
            gone |= inside(table.filled, widened(best.box, unordered)) & ~other
        progress((at + 1) / len(labels))
    found.sort(key=lambda one: one.p)
    return found, gone


def _mirrored(table: _Table | None, other: Rows, live: Rows) -> _Table | None:
    """The table with the roles of two classes exchanged: what speaks for one speaks against the other, so the additive
    models need no second fit. None for more classes, or where rows were accused in between.
    """
    if table is None or not np.array_equal(table.other, ~other) or not np.array_equal(table.live, live):
        return None
    return replace(table, other=other, parts=-table.parts, base=-table.base)


def _described(x: Rows, other: Rows, chooses: Rows, live: Rows, unordered: Rows) -> _Table:
    parts, base = np.zeros(x.shape), np.zeros(len(x))
    for half in (chooses, ~chooses):
        model = _fitted(x[half & live], other[half & live], leaves=2)
        base[~half], parts[~half] = contributions(model, x[~half], x[:1])
    filled = np.where(np.isnan(x), np.inf, x)
    return _Table(
        x=x, filled=filled, other=other, chooses=chooses, live=live, unordered=unordered, parts=parts, base=base
    )


def _fitted(x: Rows, other: Rows, leaves: int = 31) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    shape = (
        {"max_iter": 120, "learning_rate": 0.15, "min_samples_leaf": 50}
        if leaves == 2
        else {"max_iter": 30, "learning_rate": 0.2}
    )
    model = HistGradientBoostingClassifier(**shape, max_leaf_nodes=leaves, early_stopping=False, random_state=0)
    return model.fit(x, other.astype(int))


def _boxes(table: _Table) -> list[Box]:
    """The heaviest boxes of the half that chooses, by two weights: the first leaves out what the two columns a search
    starts from say, the second takes every column's word.
    """
    rows = np.flatnonzero(table.live & table.chooses)
    x = table.filled[rows]
    centred = table.parts - table.parts.mean(axis=0)
    margin = table.parts.sum(axis=1) + table.base

    def apart(i: int, j: int) -> Rows:
        return _borrowed(margin - centred[:, i] - centred[:, j], table.other, table.odds)[rows]

    plain = _surprise(margin, table.other)[rows]
    return [*heaviest_boxes(x, apart, table.unordered), *heaviest_boxes(x, lambda i, j: plain, table.unordered)]


def _surprise(margin: Rows, other: Rows) -> Rows:
    """The log-likelihood ratio of a row where the odds of another class are a tenth of what its columns say."""
    p = np.clip(_chance(margin), _EDGE, 1.0 - _EDGE)
    faded = p / _FADED / (1.0 - p + p / _FADED)
    return np.asarray(np.where(other, np.log(faded / p), np.log((1.0 - faded) / (1.0 - p))))


def _borrowed(margin: Rows, other: Rows, odds: float) -> Rows:
    """The same, and no more than what speaks for the row having been of another class: half of a box's rows were."""
    half = np.log(0.5 + 0.5 * np.exp(np.clip(margin, -15.0, 15.0)) / odds)
    surprise = _surprise(margin, other)
    return np.asarray(np.where(other, surprise, np.minimum(surprise, half)))


def _tested(table: _Table, box: Box, label: int, level: float) -> Planted | None:
    """The box with its sides moved by a model that has not seen its rows, and tested on the other half; None where a
    test already says that it is by nature.
    """
    chosen = None if _natural(table, box) else _refined(table, box)
    mine = None if chosen is None else inside(table.filled, chosen) & table.live
    if chosen is None or mine is None or not _testable(table, mine):
        return None
    rows = np.flatnonzero(mine & ~table.chooses)
    left = table.live & ~mine
    p = _others(_fitted(table.x[left], table.other[left]), table.x[rows])
    count = int(table.other[rows].sum())
    fewer = _fewer(count, p)
    alike = _likeness(table, chosen, mine) if fewer <= level else None
    if alike is None:
        return None
    return Planted(
        label=label,
        box=chosen,
        rows=len(rows) - count,
        others=count,
        expected=float(p.sum()),
        likeness=alike[0],
        p=float(max(fewer, alike[1])),
    )


def _natural(table: _Table, box: Box) -> bool:
    """Whether the half that tests holds about as many rows of others as the additive model expects: that costs nothing,
    and many a box of a table without a stamp ends here.

    Asked with the columns of the box, as others may by nature be frequent there, and without, as it may have learnt the
    stamp by them.
    """
    rows = np.flatnonzero(inside(table.filled, box) & table.live & ~table.chooses)
    columns = list(box)
    apart = (table.parts[rows][:, columns] - table.parts[:, columns].mean(axis=0)).sum(axis=1)
    margin = table.parts[rows].sum(axis=1) + table.base[rows]
    expected = max(float(_chance(told).sum()) for told in (margin, margin - apart))
    return float(table.other[rows].sum()) >= _HALF * expected


def _chance(margin: Rows) -> Rows:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margin, -15.0, 15.0))))


def _testable(table: _Table, mine: Rows) -> bool:
    beside = int((table.live & ~mine & table.other).sum())
    return beside >= _OTHERS and int((mine & ~table.other & ~table.chooses).sum()) >= 8


def _refined(table: _Table, box: Box) -> Box | None:
    """Sides moved by what the columns outside the box say, to a model of the half that tests without the box."""
    outside = [at for at in range(table.x.shape[1]) if at not in box]
    left = table.live & ~inside(table.filled, box) & ~table.chooses
    if not outside or table.other[left].sum() < _OTHERS:
        return None
    p = _others(_fitted(table.x[left][:, outside], table.other[left]), table.x[:, outside])
    rows = np.flatnonzero(table.live & table.chooses)
    weight = _borrowed(np.log(p / (1.0 - p)), table.other, table.odds)[rows]
    return climb(table.filled[rows], weight, box, table.unordered)[1]


def _others(model: Any, x: Rows) -> Rows:
    return np.asarray(np.clip(model.predict_proba(x)[:, 1], _EDGE, 1.0 - _EDGE))


def _fewer(count: int, p: Rows) -> float:
    """The chance of so few rows of other classes if their odds were a third of what they are around the box.

    Poisson, which spreads wider than the sum of unequal chances that it stands for.
    """
    from scipy.stats import poisson

    natural = p / ODDS / (1.0 - p + p / ODDS)
    return float(poisson.cdf(count, natural.sum()))


def _likeness(table: _Table, box: Box, mine: Rows) -> tuple[float, float] | None:
    """How far the box's rows lie on the way from their class to the others, and the chance of more than `LIKENESS`.

    By the log-odds of the columns outside the box, without those in which its rows hardly differ: a stamp may have more
    columns than its box. None where no column is left, or the classes look alike in them.
    """
    from scipy.stats import norm

    own = ~table.other & table.live
    ours = table.filled[mine & own & table.chooses]
    usual = table.filled[own & table.chooses]
    columns = [
        at
        for at in range(table.x.shape[1])
        if at not in box and not _stamped(ours[:, at], usual[:, at], bool(table.unordered[at]))
    ]
    left = table.live & ~mine & table.chooses
    if not columns or table.other[left].sum() < _OTHERS:
        return None
    judges = table.live & ~table.chooses
    p = _others(_fitted(table.x[left][:, columns], table.other[left]), table.x[:, columns])
    score = np.log(p / (1.0 - p))
    accused, own, others = (score[judges & m] for m in (mine & ~table.other, ~mine & ~table.other, ~mine & table.other))
    if not len(others) or not len(own) or (apart := float(others.mean() - own.mean())) <= 0:
        return None
    likeness = float(accused.mean() - own.mean()) / apart
    spread = float(np.sqrt(max(accused.var(), own.var()) / len(accused))) / apart
    return likeness, float(norm.sf((likeness - LIKENESS) / max(spread, 1e-12)))


def _stamped(values: Rows, usual: Rows, unordered: bool) -> bool:
    """Whether nearly all values lie where few do by nature."""
    if not len(values):
        return True
    if unordered:
        seen, count = np.unique(values, return_counts=True)
        low = high = seen[count.argmax()]
    else:
        low, high = np.quantile(values, [0.05, 0.95], method="nearest")
    share, natural = (float(((part >= low) & (part <= high)).mean()) for part in (values, usual))
    return share >= 0.85 and share > 1.6 * natural
