"""What the guesses of one membership attack are worth, with the nulls and gates that make a figure believable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.measure import Curve, Point
from temper.core.seed import Draws
from temper.judges._pooled import area
from temper.kernels.rate import clopper_pearson
from temper.kernels.several import discoveries

Vector = np.ndarray[Any, Any]

LEVELS = (("tpr_at_1pct", 0.01, 1_000), ("tpr_at_01pct", 0.001, 10_000))
"""Metric, false-positive rate, and the held-out rows it takes to speak of that rate at all."""

PERMUTATIONS = 200
FALSE_POSITIVES = "false-positive rate"
_RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_BINS = 10
_RARE = 0.05


def at_rate(member: Vector, score: Vector, rate: float) -> tuple[int, int, int, int]:
    """(members found, members, others called members, others) at the loosest threshold within the rate.

    A threshold between tied scores does not exist, so ties count against the attack.

    >>> at_rate(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.5, 0.1]), 0.5)
    (2, 2, 1, 2)
    """
    found = called(member, score, rate)
    mine, theirs = int(member.sum()), int((~member).sum())
    return int(found[member].sum()), mine, int(found[~member].sum()), theirs


def called(member: Vector, score: Vector, rate: float) -> Vector:
    """Which rows (n,) are called members at the loosest threshold within the rate.

    >>> called(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.5, 0.1]), 0.5)
    array([ True,  True,  True, False])
    """
    others = np.sort(score[~member])
    allowed = int(rate * len(others) + 1e-9)
    edge = others[len(others) - allowed - 1] if allowed < len(others) else -np.inf
    return np.asarray(score > edge)


def roc(member: Vector, score: Vector, confidence: float = 0.95) -> Curve:
    """Members found against false-positive rates from the lowest that ten of the others can show, on logarithmic axes:
    what matters happens where both are small.
    """
    points = []
    others = int((~member).sum())
    for rate in _RATES:
        if rate * others >= 10:
            hits, n, _, _ = at_rate(member, score, rate)
            low, high = clopper_pearson(hits, n, confidence)
            points.append(Point(at=rate, value=hits / n, low=low, high=high, n=n))
    return Curve(
        name="members found", axis=FALSE_POSITIVES, unit="share of members", points=tuple(points), scale="log-log"
    )


def blind_area(x: Any, y: Vector, member: Vector, rng: Draws, confidence: float = 0.95) -> tuple[float, float, float]:
    """How well a classifier that never saw the model tells members from others: area and its interval, two folds."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    table = np.column_stack([np.asarray(x, dtype=float).reshape((len(y), -1)), y])
    order = np.lexsort(table.T)  # the same folds in whatever order the rows come
    table, member = table[order], member[order]
    rows = _sample(member, rng.generator(0))
    half = np.arange(len(rows)) % 2 == 0
    areas = []
    for train, test in ((rows[half], rows[~half]), (rows[~half], rows[half])):
        model = HistGradientBoostingClassifier(max_iter=40, early_stopping=False, random_state=rng.integer(1))
        model.fit(table[train], member[train])
        areas.append(area(member[test], model.predict_proba(table[test])[:, 1], confidence))
    value = float(np.mean([a[0] for a in areas]))
    # Each fold judges its own rows; the mean of two independent intervals is narrower by the root of two.
    return value, value - _half(areas, 1), value + _half(areas, 2)


def chance_ends(member: Vector, score: Vector, rng: Draws, confidence: float = 0.95) -> dict[str, float]:
    """Upper ends of what shuffled membership labels give, per metric: what a figure must exceed to mean anything."""
    generator = rng.generator(0)
    drawn: dict[str, list[float]] = {"auc": [], **{metric: [] for metric, _, _ in LEVELS}}
    order = np.argsort(-score, kind="stable")
    falling, ranks = score[order], _ranks(score)[order]
    tied = np.searchsorted(-falling, -falling, "left")  # where the run of equal scores begins
    inside, others = int(member.sum()), int((~member).sum())
    for _ in range(PERMUTATIONS):
        shuffled = generator.permutation(member)[order]
        drawn["auc"].append((ranks[shuffled].sum() / inside - (inside + 1) / 2.0) / others)
        found, wrong = np.cumsum(shuffled), np.flatnonzero(~shuffled)
        for metric, rate, _needed in LEVELS:
            end = tied[wrong[int(rate * others + 1e-9)]]
            drawn[metric].append(found[end - 1] / inside if end else 0.0)
    return {metric: float(np.quantile(values, 0.5 + confidence / 2.0)) for metric, values in drawn.items()}


def p_values(member: Vector, score: Vector) -> Vector:
    """Per member the chance that one of the others scores as high, by counting them.

    >>> p_values(np.array([True, False, False, False]), np.array([0.9, 0.1, 0.2, 0.3]))
    array([0.25])
    """
    others = np.sort(score[~member])
    above = len(others) - np.searchsorted(others, score[member], "left")
    return np.asarray((above + 1.0) / (len(others) + 1.0))


def exposed(member: Vector, score: Vector, level: float = 0.05) -> Vector:
    """Positions of members that stand out from the others at a false discovery rate of `level`."""
    return np.asarray(np.flatnonzero(member)[discoveries(p_values(member, score), level)])


def groups(x: Any, y: Vector) -> dict[str, Vector]:
    """Who is often remembered more than others: the rarest class, and single-outs, whose values are the rarest.

    A row's rarity is the sum of the log shares of its values, numbers in ten bins: rare in many columns, or very rare
    in one. Source: "SoK: membership inference on tabular data", 2026 (single-outs).
    """
    kinds, counts = np.unique(y, return_counts=True)
    found = {}
    if len(kinds) > 1 and counts.min() < 0.5 * len(y):
        found[f"class {kinds[counts.argmin()]:g}"] = np.asarray(y == kinds[counts.argmin()])
    table = np.asarray(x, dtype=float).reshape((len(y), -1))
    surprise = sum((_surprise(table[:, at]) for at in range(table.shape[1])), np.zeros(len(y)))
    found[f"rarest {_RARE:.0%}"] = np.asarray(surprise > np.quantile(surprise, 1.0 - _RARE))
    return found


def more_often(group: Vector, found: Vector) -> float:
    """One-sided exact p-value that members of the group are found more often than the other members (Fisher)."""
    from scipy.stats import hypergeom

    hits, total = int(found[group].sum()), int(found.sum())
    return float(hypergeom.sf(hits - 1, len(found), total, int(group.sum())))


def _surprise(column: Vector) -> Vector:
    """Minus the log share of rows that share a value, or its tenth where there are many."""
    values = np.unique(column[~np.isnan(column)])
    if len(values) > 2 * _BINS:
        edges = np.nanquantile(column, np.linspace(0.0, 1.0, _BINS + 1)[1:-1])
        column = np.where(np.isnan(column), np.nan, np.searchsorted(np.unique(edges), column, "right"))
    _, code, count = np.unique(column, return_inverse=True, return_counts=True)
    return np.asarray(-np.log(count[code] / len(column)))


def _half(areas: Sequence[tuple[float, float, float]], end: int) -> float:
    return math.sqrt(sum((a[end] - a[0]) ** 2 for a in areas)) / len(areas)


def _sample(member: Vector, rng: np.random.Generator, most: int = 20_000) -> Vector:
    """Rows in random order, each class alternately spread over both folds."""
    rows = rng.permutation(len(member))[:most]
    return rows[np.argsort(member[rows], kind="stable")]


def _ranks(score: Vector) -> Vector:
    ordered = np.sort(score)
    return (np.searchsorted(ordered, score, "left") + np.searchsorted(ordered, score, "right") + 1) / 2.0
