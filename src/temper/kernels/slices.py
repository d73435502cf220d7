"""Segments of a table where something happens more often: rules of one or two conditions, and parts cut by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.schema import Column

MOST = 400
"""Conditions whose pairs are searched; of more, those that stand out most alone."""
_CODES = 12  # categories of a column that get a condition of their own, the most frequent ones
_OPPOSITE = {">": "not above", "is": "is not", "missing": "known"}
_SIMPLER = 0.5  # standard errors that a second condition must be worth
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """One column compared with one value; `sign` is "<=", or one of ">", "is", "missing" and their opposites.

    A missing value satisfies "missing" and the opposites "not above", "is not" alone.
    """

    at: int
    sign: str
    value: float = np.nan

    def mask(self, x: Any) -> Mask:
        """Which rows of `x` (n, d) satisfy it."""
        column = np.asarray(x, dtype=np.float64)[:, self.at]
        if self.sign in _OPPOSITE.values():
            return ~self.opposite.mask(x)
        if self.sign == "missing":
            return np.isnan(column)
        held: Mask = {"<=": np.less_equal, ">": np.greater, "is": np.equal}[self.sign](column, self.value)
        return held

    @property
    def opposite(self) -> Condition:
        """What holds for exactly the other rows."""
        signs = _OPPOSITE | {other: sign for sign, other in _OPPOSITE.items()}
        return Condition(self.at, signs[self.sign], self.value)

    def words(self, columns: Sequence[Column]) -> str:
        """As a person reads it: "amount > 300.00"."""
        column = columns[self.at]
        if self.sign in ("missing", "known"):
            return f"{column.name} is {self.sign}"
        if column.type == "boolean" and self.sign == "is not" and not column.missing:
            return f"{column.name} is {column.show(1 - self.value)}"
        return f"{column.name} {self.sign} {column.show(self.value)}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions that all hold; none at all is every row.

    >>> Rule((Condition(0, ">", 2.0),)).mask(np.array([[1.0], [3.0]])).tolist()
    [False, True]
    """

    conditions: tuple[Condition, ...] = ()

    def mask(self, x: Any) -> Mask:
        """Which rows of `x` it holds for."""
        held = np.ones(len(x), dtype=bool)
        for condition in self.conditions:
            held &= condition.mask(x)
        return held

    def words(self, columns: Sequence[Column]) -> str:
        """As a person reads it: "age <= 25 and amount > 300.00"."""
        return " and ".join(c.words(columns) for c in sorted(self.conditions)) or "all rows"


def conditions(x: Any, columns: Sequence[Column], cuts: int = 8) -> tuple[Condition, ...]:
    """Every condition on one column that parts these rows: `cuts` bands of equal count, categories, missing values.

    >>> [c.sign for c in conditions(np.array([[0.0], [1.0], [np.nan]]), [Column(name="a")])]
    ['<=', '>', 'missing']
    """
    found: list[Condition] = []
    for at, column in enumerate(columns):
        values = np.asarray(x, dtype=np.float64)[:, at]
        known = values[~np.isnan(values)]
        seen, counts = np.unique(known, return_counts=True)
        if column.type in ("category", "boolean"):
            often = np.sort(seen[np.argsort(-counts, kind="stable")[:_CODES]])
            found += [Condition(at, "is", float(code)) for code in often if len(seen) > 1 or len(known) < len(values)]
        elif len(seen) > 1:
            spread = np.quantile(known, np.linspace(0, 1, cuts + 1)[1:-1], method="lower") if len(seen) > cuts else seen
            edges = np.unique(spread[spread < seen[-1]])
            found += [Condition(at, sign, float(edge)) for edge in edges for sign in ("<=", ">")]
        if 0 < len(known) < len(values):
            found.append(Condition(at, "missing"))
    return tuple(found)


def excess(events: Any, rows: Any, hit: Any) -> Floats:
    """How many standard errors more `events` fall on `rows` than on as many rows drawn from all; -inf for empty ones.

    `hit` (n,) says where the events are. Any shape of counts.
    """
    n, rate = len(hit), float(np.mean(hit)) if len(hit) else 0.0
    rows = np.asarray(rows, dtype=np.float64)
    spread = np.sqrt(np.maximum(rows * rate * (1 - rate) * (n - rows) / max(n - 1, 1), 0.0))
    more = np.asarray(events, dtype=np.float64) - rows * rate
    return np.asarray(np.divide(more, spread, out=np.full(more.shape, -np.inf), where=spread > 0))


def search(
    x: Any, hit: Any, columns: Sequence[Column], *, least: int = 30, most: int = 20, cuts: int = 8
) -> tuple[Rule, ...]:
    """Up to `most` rules of one or two conditions where `hit` (n,) is more frequent, the strongest first.

    Every pair of conditions is tried. A rule holds for at least `least` rows and for no more than half of them; a
    second condition must be worth half a standard error; of two rules that share most of their rows the stronger one
    stays. What it finds is chosen for being extreme: judge it on other rows.
    """
    hit = np.asarray(hit, dtype=bool)
    if len(hit) < 2 * least or not hit.any() or hit.all():
        return ()
    single = conditions(x, columns, cuts)
    masks = np.array([c.mask(x) for c in single], dtype=bool).reshape(len(single), len(hit))
    alone = excess(masks @ hit.astype(np.int64), masks.sum(axis=1), hit)
    kept = np.sort(np.argsort(-alone, kind="stable")[:MOST])
    single, masks, alone = tuple(single[at] for at in kept), masks[kept], alone[kept]
    scores = _pairs(masks, hit, alone, least)
    order = np.argsort(-scores, axis=None, kind="stable")
    rules: list[Rule] = []
    taken: list[Mask] = []
    for flat in order[: 50 * most]:
        a, b = divmod(int(flat), len(single))
        if len(rules) == most or not scores[a, b] > 0:
            break
        mask = masks[a] & masks[b]
        if all((mask & other).sum() <= 0.5 * (mask | other).sum() for other in taken):
            rules.append(Rule(tuple(dict.fromkeys((single[a], single[b])))))
            taken.append(mask)
    return tuple(rules)


def _pairs(masks: Mask, hit: Mask, alone: Floats, least: int) -> Floats:
    """Excess (m, m) of every pair, single conditions on the diagonal; -inf for what may not be a rule."""
    wide = masks.astype(np.float32)
    rows = wide @ wide.T
    scores = excess((wide * hit.astype(np.float32)) @ wide.T, rows, hit)
    better = np.maximum(alone[:, None], alone[None, :]) + _SIMPLER
    np.fill_diagonal(better, -np.inf)
    allowed = (rows >= least) & (rows <= 0.5 * len(hit)) & (scores >= better)
    return np.where(np.triu(allowed), scores, -np.inf)


def parts(x: Any, hit: Any, columns: Sequence[Column], *, depth: int = 3, least: int = 50) -> tuple[Rule, ...]:
    """A shallow tree's leaves: rules that part all rows, cut where `hit` differs most, each of `least` rows or more.

    The cut is the single condition with the largest excess on either side. Unlike those of `search` these rules never
    overlap. Judge their rates on other rows.
    """
    hit = np.asarray(hit, dtype=bool)
    return tuple(rule for rule, _ in _cut(Rule(), np.arange(len(hit)), np.asarray(x), hit, columns, depth, least))


def _cut(
    rule: Rule, rows: Any, x: Any, hit: Mask, columns: Sequence[Column], depth: int, least: int
) -> list[tuple[Rule, Any]]:
    here, events = x[rows], hit[rows]
    single = [c for c in conditions(here, columns) if c.sign != "<="] if depth and len(rows) >= 2 * least else []
    masks = np.array([c.mask(here) for c in single], dtype=bool).reshape(len(single), len(rows))
    sizes = masks.sum(axis=1)
    scores = np.abs(excess(masks @ events.astype(np.int64), sizes, events))
    scores = np.where((sizes >= least) & (len(rows) - sizes >= least) & np.isfinite(scores), scores, -np.inf)
    if not len(scores) or not np.isfinite(scores.max()):
        return [(rule, rows)]
    best = int(np.argmax(scores))
    chosen = single[best]
    whole = chosen.sign == ">" and not np.isnan(here[:, chosen.at]).any()
    other = Condition(chosen.at, "<=", chosen.value) if whole else chosen.opposite
    sides = ((chosen, masks[best]), (other, ~masks[best]))
    return [
        leaf
        for condition, mask in sides
        for leaf in _cut(Rule((*rule.conditions, condition)), rows[mask], x, hit, columns, depth - 1, least)
    ]
