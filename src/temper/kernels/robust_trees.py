"""Grow tree ensembles against an attacker: boxes around the training rows, binned, and trees that reckon with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.trees import TreeEnsemble
from temper.kernels.tree_reach import reach

Array = np.ndarray[Any, Any]
Tree = tuple[Array, Array, Array, Array, Array]
HOWS = ("split", "loss", "forest")
_CUTS, _MISSING = 250, 255
_LEAST = 1e-9
_HALVINGS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How to grow: "split" boosts on clean margins with robust splits, "loss" on the margins after the worst moves,
    "forest" averages bootstrapped trees with robust splits. `norm`, `radius`: the attacker's budget, column by column.

    `moving`: rows that can be sent either way go where they harm most (GROOT), else they stay where they are (Chen).
    `ridge`, `light`: as XGBoost's lambda and min_child_weight. `monotone` constraints are not offered.
    """

    how: str = "split"
    trees: int = 200
    depth: int = 6
    rate: float = 0.1
    norm: str = "linf"
    radius: float = 0.0
    moving: bool = True
    ridge: float = 1.0
    light: float = 1.0

    def __post_init__(self) -> None:
        if self.how not in HOWS:
            raise TemperError(f"no way to grow trees is called {self.how!r}", fix=f"use one of {', '.join(HOWS)}")
        if self.trees < 1 or not 1 <= self.depth <= 16 or not self.rate > 0 or not self.radius >= 0:
            raise TemperError("trees, depth, rate and radius do not make an ensemble", fix="depth is 1 to 16")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """Training rows in bins, (d, n) each: the lowest, the true and the highest bin within the attacker's reach.

    `cuts`: the ascending cuts of each column; `ranks`: of a category column the rank of each code, by its share of
    class 1, which then takes the place of the value.
    """

    low: Array
    own: Array
    high: Array
    cuts: tuple[Array, ...]
    ranks: dict[int, Array]

    @property
    def bins(self) -> Array:
        """Number of bins per column."""
        return np.array([len(cut) + 1 for cut in self.cuts], dtype=np.int64)


def boxes(x: Any, y: Any, schema: Schema, norm: str, radius: float) -> Boxes:
    """The rows (n, d) with what an attacker can make of each column alone; a missing value stays missing."""
    rows = np.ascontiguousarray(x, dtype=np.float64)
    box = reach(schema, rows, norm, radius)
    low, high = np.where(np.isnan(rows), np.nan, box.low), np.where(np.isnan(rows), np.nan, box.high)
    low, high = (low, high) if radius > 0 else (rows, rows)
    parts, cuts, ranks = [], [], {}
    for at in range(rows.shape[1]):
        if schema.columns and schema.columns[at].type == "category":
            ranks[at] = _ranks(rows[:, at], np.asarray(y), len(schema.columns[at].categories))
            part, cut = _coded(low[:, at], rows[:, at], high[:, at], ranks[at])
        else:
            part, cut = _binned(low[:, at], rows[:, at], high[:, at])
        parts.append(part)
        cuts.append(cut)
    three = np.ascontiguousarray(np.stack(parts, axis=1))
    return Boxes(low=three[0], own=three[1], high=three[2], cuts=tuple(cuts), ranks=ranks)


def grown(
    x: Any,
    y: Any,
    schema: Schema,
    growth: Growth,
    rng: np.random.Generator,
    *,
    margin: bool = False,
    follow: Callable[[float], None] = lambda loss: None,
) -> TreeEnsemble:
    """The ensemble fitted on rows (n, d) of classes `y` in {0, 1}; `margin`: its scores are margins.

    `follow` is told the mean loss after every tree of a boosting: the clean one, for "loss" the worst one.
    """
    truth = np.asarray(y).astype(np.int64)
    if set(np.unique(truth).tolist()) != {0, 1}:
        raise Unsupported("robust trees need rows of class 0 and of class 1, and nothing else")
    held = boxes(x, truth, schema, growth.norm, growth.radius)
    if growth.how == "forest":
        if margin:
            raise Unsupported("a forest has probabilities, no margins")
        return exported(held, _forest(held, truth, growth, rng), np.zeros(2), "identity")
    share = truth.mean()
    start = float(np.log(share / (1.0 - share)))
    trees = _boosted(held, truth, growth, start, follow)
    return exported(held, trees, np.array([start]), "identity" if margin else "sigmoid")


def exported(held: Boxes, trees: list[Tree], base: Array, link: str) -> TreeEnsemble:
    """The trees over the columns' own values; a split on categories becomes a chain over their codes."""
    parts = [_unbinned(held, tree) for tree in trees]
    starts = np.cumsum([0, *(len(part["feature"]) for part in parts)])
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    for name in ("left", "right"):
        joined[name] = joined[name] + np.repeat(starts[:-1], np.diff(starts))
    value = joined["value"][:, None]
    return TreeEnsemble(
        feature=joined["feature"].astype(np.int32),
        threshold=joined["threshold"],
        left=joined["left"].astype(np.int32),
        right=joined["right"].astype(np.int32),
        missing_left=joined["missing_left"],
        value=value if len(base) == 1 else _probabilities(joined["feature"], value, len(trees)),
        root=starts[:-1].astype(np.int32),
        base=base,
        features=len(held.cuts),
        link=link,
    )


# -- growing --------------------------------------------------------------------------------------------------------


def _boosted(held: Boxes, y: Array, growth: Growth, start: float, follow: Callable[[float], None]) -> list[Tree]:
    """Trees one after the other, each a Newton step on the loss of the margins so far."""
    margins = _Margins(held, y, start, worst=growth.how == "loss", stumps=growth.depth == 1)
    every = np.ones((2 ** (growth.depth + 1) - 1, len(held.cuts)), dtype=bool)
    trees: list[Tree] = []
    depth = growth.depth
    while len(trees) < growth.trees and depth:
        p = 1.0 / (1.0 + np.exp(-np.clip(margins.now, -500.0, 500.0)))
        tree = _grow(held, p - y, np.maximum(p * (1.0 - p), 1e-12), y, every, replace(growth, depth=depth))
        scaled = _descending(tree, margins, growth.rate)
        if scaled is None:  # what a deep tree gains row by row can be lost to its own corners; a stump's cannot
            depth -= 1
            continue
        margins.take()
        trees.append(scaled)
        follow(margins.loss)
    return trees or [_constant()]


def _descending(tree: Tree, margins: _Margins, rate: float) -> Tree | None:
    """The tree scaled by the rate, or less where only less lowers the loss; None where nothing does."""
    for halving in range(_HALVINGS):
        scaled = (*tree[:4], tree[4] * rate * 0.5**halving)
        if margins.after(scaled) < margins.loss:
            return scaled
    return None


def _forest(held: Boxes, y: Array, growth: Growth, rng: np.random.Generator) -> list[Tree]:
    """Trees on bootstrapped rows, each node on a random root of the columns; a leaf is the share of class 1."""
    d, n, size = len(held.cuts), len(y), 2 ** (growth.depth + 1) - 1
    wanted = max(1, round(d**0.5))
    trees = []
    for _ in range(growth.trees):
        weight = np.bincount(rng.integers(n, size=n), minlength=n).astype(float)
        chosen = np.argsort(np.argsort(rng.random((size, d)), axis=1), axis=1) < wanted
        trees.append(_grow(held, -weight * y, weight, y, chosen, growth, ridge=0.0))
    return trees


def _grow(held: Boxes, g: Array, h: Array, y: Array, chosen: Array, growth: Growth, ridge: float | None = None) -> Tree:
    from temper.kernels._jit_robust_trees import grow

    ridge = growth.ridge if ridge is None else ridge
    tree: Tree = grow(
        held.low, held.own, held.high, g, h, y, held.bins, chosen, growth.depth, ridge, growth.light, _LEAST,
        growth.moving,
    )  # fmt: skip
    return tree


class _Margins:
    """The margins of the training rows as trees are added: clean, or at the worst point of each row's box.

    The worst of a sum is bounded by the sum of each tree's worst; of stumps it is exact, column by column.
    """

    def __init__(self, held: Boxes, y: Array, start: float, *, worst: bool, stumps: bool) -> None:
        self._held, self._y, self._worst, self._stumps = held, y, worst, worst and stumps
        self.now = np.full(len(y), start)
        self.loss = _loss(self.now, y)
        self._next = self.now
        self._steps = np.zeros((len(held.cuts) if self._stumps else 0, _MISSING + 1))
        self._parts = np.zeros((len(self._steps), len(y)))
        self._pending: tuple[int, Array, Array] | None = None

    def after(self, tree: Tree) -> float:
        """The mean loss if this tree were added."""
        from temper.kernels import _jit_robust_trees as jit

        held, out = self._held, np.empty(len(self._y))
        if self._stumps and tree[0][0] >= 0:
            at = int(tree[0][0])
            steps = self._steps[at] + _steps(tree)
            jit.worst_steps(held.low[at], held.high[at], self._y, steps, out)
            self._pending = (at, steps, out)
            self._next = self.now - self._parts[at] + out
        elif self._worst:
            jit.worst_values(held.low, held.high, self._y, *tree, out)
            self._next = self.now + out
        else:
            jit.values(held.own, *tree, out)
            self._next = self.now + out
        return _loss(self._next, self._y)

    def take(self) -> None:
        """Keep the tree last asked about."""
        self.now, self.loss = self._next, _loss(self._next, self._y)
        if self._pending is not None:
            at, self._steps[at], self._parts[at] = self._pending
            self._pending = None


def _steps(tree: Tree) -> Array:
    """A stump's value in every bin, missing last."""
    _, cut, left, missing_left, value = tree
    first, second = value[left[0]], value[left[0] + 1]
    steps: Array = np.where(np.arange(_MISSING + 1) <= cut[0], first, second)
    steps[_MISSING] = first if missing_left[0] else second
    return steps


def _loss(margin: Array, y: Array) -> float:
    return float(np.logaddexp(0.0, np.where(y == 1, -margin, margin)).mean())


def _constant() -> Tree:
    """A tree that adds nothing, for data no split can use."""
    one = np.zeros(1, np.int32)
    return one - 1, one, one, np.zeros(1, bool), np.zeros(1)


# -- bins -----------------------------------------------------------------------------------------------------------


def _binned(low: Array, own: Array, high: Array) -> tuple[Array, Array]:
    """Bins between cuts halfway between the values that rows have or can be moved to."""
    pool = np.concatenate([low, own, high])
    seen = np.unique(pool[np.isfinite(pool)])
    if len(seen) > _CUTS + 1:
        seen = np.unique(np.quantile(pool[np.isfinite(pool)], np.linspace(0, 1, _CUTS + 1), method="nearest"))
    cuts = seen[:-1] + (seen[1:] - seen[:-1]) / 2.0
    cuts = np.where(cuts > seen[:-1], cuts, seen[1:])
    parts = [np.searchsorted(cuts, part, side="right") for part in (low, own, high)]
    return _bytes(parts, np.isnan(own)), cuts


def _ranks(codes: Array, y: Array, categories: int) -> Array:
    """The place of every code by its share of class 1, drawn to the share of all where rows are few."""
    known = ~np.isnan(codes)
    at = codes[known].astype(np.int64)
    size = max(categories, int(at.max(initial=0)) + 1)
    count, ones = np.bincount(at, minlength=size), np.bincount(at, weights=y[known], minlength=size)
    order = np.argsort((ones + 10.0 * y.mean()) / (count + 10.0), kind="stable")
    rank: Array = np.empty(size, dtype=np.int64)
    rank[order] = np.arange(size)
    return rank * min(_CUTS + 1, size) // size


def _coded(low: Array, own: Array, high: Array, ranks: Array) -> tuple[Array, Array]:
    """Ranks for bins; a category that can be changed can become any other."""
    rank = ranks[np.nan_to_num(own).astype(np.int64)]
    with np.errstate(invalid="ignore"):
        moves = high > low
    top = int(ranks.max())
    parts = [np.where(moves, 0, rank), rank, np.where(moves, top, rank)]
    return _bytes(parts, np.isnan(own)), np.arange(top) + 0.5


def _bytes(parts: list[Array], gone: Array) -> Array:
    return np.where(gone, _MISSING, np.stack(parts)).astype(np.uint8)


# -- back to values -------------------------------------------------------------------------------------------------


def _unbinned(held: Boxes, tree: Tree) -> dict[str, Array]:
    """One tree with thresholds for cuts; a node on categories takes as many places as its chain is long."""
    feature, cut, left, missing_left, value = tree
    chains = [_chain(held, int(column), int(at)) for column, at in zip(feature, cut, strict=True)]
    place = np.cumsum([0, *(len(chain) for chain in chains)])
    out: dict[str, list[Any]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "missing_left", "value")
    }
    for node, chain in enumerate(chains):
        inner = feature[node] >= 0
        two = (int(place[left[node]]), int(place[left[node] + 1])) if inner else (0, 0)
        for at, (threshold, goes_left) in enumerate(chain):
            out["feature"].append(feature[node])
            out["threshold"].append(threshold)
            out["left"].append(two[0] if goes_left else two[1])
            ahead = at + 1 < len(chain)
            out["right"].append(int(place[node]) + at + 1 if ahead else two[1] if goes_left else two[0])
            out["missing_left"].append(bool(inner and bool(missing_left[node]) == goes_left))
            out["value"].append(0.0 if inner else value[node])
    return {name: np.array(values) for name, values in out.items()}


def _chain(held: Boxes, column: int, cut: int) -> list[tuple[float, bool]]:
    """(threshold, whether what lies below it goes left) of the nodes that say one split."""
    if column < 0:
        return [(0.0, True)]
    if column not in held.ranks:
        return [(float(held.cuts[column][cut]), True)]
    left = held.ranks[column] <= cut
    ends = np.flatnonzero(left[1:] != left[:-1])
    return [(float(end) + 0.5, bool(left[end])) for end in ends]


def _probabilities(feature: Array, value: Array, trees: int) -> Array:
    """A forest's leaves: the shares of both classes, averaged over the trees."""
    both = np.concatenate([1.0 - value, value], axis=1) / trees
    return np.where((feature < 0)[:, None], both, 0.0)
