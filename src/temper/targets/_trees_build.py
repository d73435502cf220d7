"""From a library's nodes to a TreeEnsemble: exact thresholds, categories as chains, children behind parents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from temper.core.trees import TreeEnsemble
from temper.targets.frame import UNCHANGED, Coding

Array = np.ndarray[Any, Any]
LEFT, RIGHT = -1, -2
TREELESS = "use an attack that needs scores or labels"


@dataclass(frozen=True, slots=True)
class Rule:
    """A split that one threshold cannot say: `left[k]` on the k-th piece between the ascending `cuts`; and if missing.

    Piece k holds the values from `cuts[k - 1]` up to, not including, `cuts[k]`.
    """

    cuts: tuple[float, ...]
    left: tuple[bool, ...]
    missing: bool

    def goes_left(self, value: float) -> bool:
        """The side of one value."""
        if value != value:
            return self.missing
        return self.left[int(np.searchsorted(self.cuts, value, side="right"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """A model as its library has it: one entry per node, all trees in one; a node in `rules` splits by that.

    Every other split is `x < threshold`, exact in float64. Nodes no root reaches may lie about.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing_left: Array
    value: Array
    root: Array
    rules: Mapping[int, Rule] = field(default_factory=dict)


def below(t: Array) -> Array:
    """float64 cuts c such that `x < c` is `float32(x) < t`, rounding to even included."""
    t = np.asarray(t, dtype=np.float32)
    with np.errstate(over="ignore"):
        low = np.nextafter(t, np.float32(-np.inf))
    wide, down = (np.clip(v.astype(np.float64), -(2.0**128), 2.0**128) for v in (t, low))
    half = (wide + down) / 2.0
    odd = (t.view(np.uint32) & 1).astype(bool)  # at the half-way point the even one of the two is taken
    return np.where(t == -np.inf, -np.inf, np.where(odd, np.nextafter(half, np.inf), half))


def at_most(t: Array) -> Array:
    """float64 cuts c such that `x < c` is `x <= t`."""
    with np.errstate(over="ignore"):
        return np.nextafter(np.asarray(t, dtype=np.float64), np.inf)


def at_most_single(t: Array) -> Array:
    """float64 cuts c such that `x < c` is `float32(x) <= t`, whatever precision t has."""
    t = np.asarray(t, dtype=np.float64)
    with np.errstate(over="ignore"):
        near = t.astype(np.float32)
        largest = np.where(near.astype(np.float64) > t, np.nextafter(near, np.float32(-np.inf)), near)
        return below(np.nextafter(largest.astype(np.float32), np.float32(np.inf)))


def among(pieces: Iterable[tuple[float, float]], *, inside: bool, missing: bool) -> Rule:
    """A rule that sends the values of the half-open pieces left (`inside`) or right, and all others the other way."""
    cuts: list[float] = []
    for low, high in sorted(pieces):
        if cuts and cuts[-1] == low:
            cuts[-1] = high
        else:
            cuts += [low, high]
    return Rule(tuple(cuts), tuple((at % 2 == 1) is inside for at in range(len(cuts) + 1)), missing)


def pulled_back(nodes: Nodes, step: Callable[[Array], Array], features: int) -> Nodes:
    """The nodes before a non-decreasing `step` of each column: the first float64 that it takes to a cut is the cut."""
    columns = [np.unique(nodes.threshold[nodes.feature == at]) for at in range(features)]
    longest = max((len(cuts) for cuts in columns), default=0)
    if not longest:
        return nodes
    wanted = np.stack([np.resize(cuts, longest) if len(cuts) else np.zeros(longest) for cuts in columns], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        found = _first(wanted, step)
    threshold = nodes.threshold.copy()
    for at, cuts in enumerate(columns):
        here = nodes.feature == at
        threshold[here] = found[np.searchsorted(cuts, nodes.threshold[here]), at]
    return replace(nodes, threshold=threshold)


def _first(wanted: Array, step: Callable[[Array], Array]) -> Array:
    """The first float64 that `step` takes to `wanted` or above; infinite where none, or where all are."""
    top = np.int64(np.finfo(np.float64).max.view(np.int64))
    low, high = np.full(wanted.shape, -top - 1), np.full(wanted.shape, top + 1)
    for _ in range(65):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        above = step(_number(np.clip(middle, -top, top))) >= wanted
        high, low = np.where(above, middle, high), np.where(above, low, middle)
    return np.where(high > top, np.inf, np.where(high <= -top, -np.inf, _number(np.clip(high, -top, top))))


def _number(place: Array) -> Array:
    """The float64 at a place among them, zero at 0."""
    return np.where(place < 0, -np.abs(place).view(np.float64), place.view(np.float64))


def assemble(nodes: Nodes, base: Array, features: int, link: str, codes: Coding = UNCHANGED) -> TreeEnsemble:
    """The ensemble over the Schema's columns: splits on coded columns become splits on the Schema's codes."""
    nodes = _ordered(nodes)
    rules = _on_codes(nodes, codes) if codes.tables else nodes.rules
    if rules:
        nodes = _expanded(nodes, rules)
    return TreeEnsemble(
        feature=nodes.feature.astype(np.int32),
        threshold=np.ascontiguousarray(nodes.threshold, dtype=np.float64),
        left=nodes.left.astype(np.int32),
        right=nodes.right.astype(np.int32),
        missing_left=nodes.missing_left.astype(np.bool_),
        value=np.ascontiguousarray(nodes.value, dtype=np.float64),
        root=nodes.root.astype(np.int32),
        base=np.array(base, dtype=np.float64).reshape(-1),
        features=features,
        link=link,
    )


def _ordered(nodes: Nodes) -> Nodes:
    """Only what the roots reach, tree after tree, level after level."""
    level, tree = nodes.root.astype(np.int64), np.arange(len(nodes.root))
    found, trees = [level], [tree]
    while len(level):
        inner = nodes.feature[level] >= 0
        level, tree = level[inner], tree[inner]
        level = np.concatenate([nodes.left[level], nodes.right[level]]).astype(np.int64)
        tree = np.concatenate([tree, tree])
        found.append(level)
        trees.append(tree)
    order = np.concatenate(found)[np.argsort(np.concatenate(trees), kind="stable")]
    place = np.full(len(nodes.feature), -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    inner = nodes.feature[order] >= 0
    return Nodes(
        feature=np.where(inner, nodes.feature[order], -1),
        threshold=np.where(inner, nodes.threshold[order], 0.0),
        left=np.where(inner, place[nodes.left[order]], -1),
        right=np.where(inner, place[nodes.right[order]], -1),
        missing_left=nodes.missing_left[order].astype(bool) & inner,
        value=np.where(inner[:, None], 0.0, nodes.value[order]),
        root=place[nodes.root.astype(np.int64)],
        rules={int(place[at]): rule for at, rule in nodes.rules.items() if place[at] >= 0},
    )


def _on_codes(nodes: Nodes, codes: Coding) -> dict[int, Rule]:
    """The rules of all nodes that need one once the coded columns are asked by the Schema's codes."""
    rules = dict(nodes.rules)
    for column, table in codes.tables:
        for at in np.flatnonzero(nodes.feature == column):
            known = nodes.rules.get(int(at))
            missing = known.missing if known else bool(nodes.missing_left[at])
            goes = known.goes_left if known else _threshold(float(nodes.threshold[at]), missing)
            rules[int(at)] = _by_code(goes, table, missing)
    return rules


def _threshold(cut: float, missing: bool) -> Callable[[float], bool]:
    return lambda value: missing if value != value else value < cut


def _by_code(goes: Callable[[float], bool], table: Sequence[float], missing: bool) -> Rule:
    """The rule on codes 0, 1, ... of values that `table` lists; any other code is missing."""
    cuts = tuple(float(code) for code in range(len(table) + 1))
    return Rule(cuts, (missing, *(goes(value) for value in table), missing), missing)


def _expanded(nodes: Nodes, rules: Mapping[int, Rule]) -> Nodes:
    """Each ruled node replaced by its chain, where it stood."""
    chains = {at: _chain(rule) for at, rule in rules.items()}
    counts = np.ones(len(nodes.feature), dtype=np.int64)
    for at, chain in chains.items():
        counts[at] = len(chain)
    start = np.cumsum(counts) - counts
    size = int(counts.sum())
    feature, value = np.repeat(nodes.feature, counts), np.zeros((size, nodes.value.shape[1]))
    value[start] = nodes.value
    threshold, missing = np.repeat(nodes.threshold, counts), np.repeat(nodes.missing_left, counts)
    left, right = (np.repeat(np.where(side >= 0, start[side], -1), counts) for side in (nodes.left, nodes.right))
    for at, chain in chains.items():
        ends = {LEFT: start[nodes.left[at]], RIGHT: start[nodes.right[at]]}
        for k, (cut, to_left, to_right, missing_left) in enumerate(chain, int(start[at])):
            threshold[k], missing[k] = cut, missing_left
            left[k] = ends[to_left] if to_left < 0 else start[at] + to_left
            right[k] = ends[to_right] if to_right < 0 else start[at] + to_right
    return Nodes(
        feature=feature,
        threshold=threshold,
        left=left,
        right=right,
        missing_left=missing,
        value=value,
        root=start[nodes.root],
    )


Step = tuple[float, int, int, bool]


@lru_cache(maxsize=4096)
def _chain(rule: Rule) -> tuple[Step, ...]:
    """The rule as a balanced search among its runs: (cut, left, right, missing left), ends LEFT and RIGHT."""
    changes = [at for at in range(len(rule.cuts)) if rule.left[at] != rule.left[at + 1]]
    cuts = [rule.cuts[at] for at in changes]
    runs = [LEFT if rule.left[0] else RIGHT]
    for _ in changes:
        runs.append(LEFT if runs[-1] == RIGHT else RIGHT)
    side = LEFT if rule.missing else RIGHT
    if not cuts:  # every value goes one way: only the missing ones may go another
        return ((-np.inf, side, runs[0], True),)
    steps: list[Step] = []
    _search(cuts, runs, side, steps)
    return tuple(steps)


def _search(cuts: Sequence[float], runs: Sequence[int], side: int, steps: list[Step]) -> int:
    """Append the search among `runs` (one more than `cuts`); the place of its first step, or the end of one run."""
    if not cuts:
        return runs[0]
    middle = len(cuts) // 2
    here = len(steps)
    steps.append((cuts[middle], 0, 0, True))
    low = _search(cuts[:middle], runs[: middle + 1], side, steps)
    high = _search(cuts[middle + 1 :], runs[middle + 1 :], side, steps)
    steps[here] = (cuts[middle], low, high, low >= 0 or low == side)
    return here
