"""How much better than chance an attacker tells training rows from others, with the checks that make it believable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.judges._pooled import area
from temper.kernels.rate import clopper_pearson

Vector = np.ndarray[Any, Any]

LEVELS = (("tpr_at_1pct", 0.01, 1_000), ("tpr_at_01pct", 0.001, 10_000))
"""Metric, false-positive rate, and the held-out rows it takes to speak of that rate at all."""

PERMUTATIONS = 200
LOWER_BOUND = "attack lower bound, not a guarantee: a better attack may find more"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Membership:
    """What a membership attack leaves: one score per pool row, high where it says "this row was trained on".

    `x` (n, ...), `y`, `member` (n,): the pool and its truth. `score`: the attack; `loss`: the reference-free attack.
    `references`, `inside` (k, n): what each reference model gave the row's own class, and whether it was fitted on it;
    models 2j and 2j + 1 are fitted on complementary halves. `duplicates`: rows dropped because both sides had them.
    """

    x: Any
    y: Vector
    member: Vector
    score: Vector
    loss: Vector
    references: Vector
    inside: Vector
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage:
    """Area under the curve and true-positive rate at a low false-positive rate of a membership attack.

    Refuses to conclude when rows can be told apart without the model, and does not report a rate that too few held-out
    rows could show. Misleads when read as a bound on privacy: it is what this attack found.
    Source: Carlini et al., "Membership inference attacks from first principles", 2022; blind baselines from Das,
    Zhang & Tramèr, "Blind baselines beat membership inference attacks for foundation models", 2024.

    >>> Advantage(plugin="inversion.membership").charged
    False
    """

    charged: ClassVar[bool] = False
    plugin: str = "inversion"
    confidence: float = 0.95
    rng: Draws = field(default_factory=lambda: Draws(0, "judges.advantage"))

    def judge(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """Measurements of the deployed model, and of its recipe on random halves, which any split allows."""
        seen = outcome.payload
        if not isinstance(seen, Membership):
            raise TemperError("advantage needs the evidence of a membership attack", fix="pass it as the payload")
        blind = blind_area(seen.x, seen.y, seen.member, self.rng.child("blind"), self.confidence)
        reason = _separable(blind)
        found = self._figures(seen.member, seen.score, seen.loss, blind[0], reason, "all", _dropped(seen))
        if len(seen.references) >= 4:
            member, score, loss = recipe(seen)
            note = "a refit of the same recipe on a random half stands in for the deployed model"
            found += self._figures(member, score, loss, 0.5, "", "same recipe, random halves", (note,))
        return tuple(found)

    def _figures(
        self, member: Vector, score: Vector, loss: Vector, blind: float, reason: str, rows: str, notes: tuple[str, ...]
    ) -> list[Measurement]:
        shared: dict[str, Any] = {
            "plugin": self.plugin,
            "confidence": self.confidence,
            "slice": rows,
            "status": Status.INCONCLUSIVE if reason else Status.OK,
            "reason": reason,
            "caveats": (LOWER_BOUND, *notes),
        }
        chance = chance_ends(member, score, self.rng.child("permuted"), self.confidence)
        found = [self._area(member, score, loss, blind, chance["auc"], shared)]
        for metric, rate, needed in LEVELS:
            others = int(np.count_nonzero(~member))
            if others < needed:
                found.append(_too_few(self.plugin, metric, rows, others, needed))
            else:
                found.append(self._rate(member, score, loss, metric, rate, chance[metric], shared))
        usable = [(metric, rate) for metric, rate, needed in LEVELS if np.count_nonzero(~member) >= needed]
        if usable:
            found.append(self._epsilon(member, score, usable[-1][1], shared))
        return found

    def _area(
        self, member: Vector, score: Vector, loss: Vector, blind: float, chance: float, shared: dict[str, Any]
    ) -> Measurement:
        value, low, high = area(member, score, self.confidence)
        baseline = (
            ("loss attack", area(member, loss)[0]),
            ("without the model", blind),
            ("permuted labels, upper end", chance),
        )
        return Measurement(
            metric="auc",
            value=value,
            low=low,
            high=high,
            n=len(member),
            better=Better.LOWER,
            method="DeLong",
            baseline=baseline,
            **shared,
        )

    def _rate(
        self,
        member: Vector,
        score: Vector,
        loss: Vector,
        metric: str,
        rate: float,
        chance: float,
        shared: dict[str, Any],
    ) -> Measurement:
        hits, n, wrong, others = at_rate(member, score, rate)
        low, high = clopper_pearson(hits, n, self.confidence)
        worst = clopper_pearson(wrong, others, self.confidence, side="upper")[1]
        realised = f"realised false positives {wrong}/{others:,}, at most {worst:.2%} at {self.confidence:.0%}"
        plain = at_rate(member, loss, rate)
        baseline = (("chance", rate), ("loss attack", plain[0] / plain[1]), ("permuted labels, upper end", chance))
        return Measurement(
            metric=metric,
            value=hits / n,
            low=low,
            high=high,
            n=n,
            count=hits,
            better=Better.LOWER,
            method="Clopper-Pearson",
            baseline=baseline,
            **(shared | {"caveats": (*shared["caveats"], realised)}),
        )

    def _epsilon(self, member: Vector, score: Vector, rate: float, shared: dict[str, Any]) -> Measurement:
        hits, n, wrong, others = at_rate(member, score, rate)
        # Two one-sided statements at half the error each hold together at the stated confidence.
        each = 0.5 + self.confidence / 2.0
        least = clopper_pearson(hits, n, each, side="lower")[0]
        most = clopper_pearson(hits, n, each, side="upper")[1]
        rare = clopper_pearson(wrong, others, each, side="lower")[0]
        often = clopper_pearson(wrong, others, each, side="upper")[1]
        value = _log_ratio(least, often)
        note = (f"at {rate:.1%} false positives", *(("no evidence of leakage",) if value == 0.0 else ()))
        return Measurement(
            metric="epsilon_lower",
            value=value,
            low=value,
            high=_log_ratio(most, rare),
            n=n + others,
            better=Better.LOWER,
            method="ln(TPR / FPR), Clopper-Pearson on both",
            baseline=(("no leakage", 0.0),),
            **(shared | {"caveats": (*shared["caveats"], *note)}),
        )


def at_rate(member: Vector, score: Vector, rate: float) -> tuple[int, int, int, int]:
    """(members found, members, others called members, others) at the loosest threshold within the rate.

    A threshold between tied scores does not exist, so ties count against the attack.

    >>> at_rate(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.5, 0.1]), 0.5)
    (2, 2, 1, 2)
    """
    others = np.sort(score[~member])
    allowed = int(rate * len(others) + 1e-9)
    edge = others[len(others) - allowed - 1]
    mine = score[member]
    return int((mine > edge).sum()), len(mine), int((others > edge).sum()), len(others)


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
    ranks = _ranks(score)
    inside = int(member.sum())
    for _ in range(PERMUTATIONS):
        shuffled = generator.permutation(member)
        drawn["auc"].append((ranks[shuffled].sum() / inside - (inside + 1) / 2.0) / (len(member) - inside))
        for metric, rate, _needed in LEVELS:
            hits, n, _wrong, _others = at_rate(shuffled, score, rate)
            drawn[metric].append(hits / n)
    return {metric: float(np.quantile(values, 0.5 + confidence / 2.0)) for metric, values in drawn.items()}


def recipe(seen: Membership) -> tuple[Vector, Vector, Vector]:
    """Reference model 0 as the target: its members, the attack's score and the loss score.

    Its complement (model 1) knows its members by exclusion, so only the other references are used.
    """
    own = seen.references[0]
    return seen.inside[0], own / np.maximum(seen.references[2:].mean(0), 1e-12), own


def exposed(member: Vector, score: Vector, level: float = 0.05) -> Vector:
    """Positions of members that stand out from the others at a false discovery rate of `level`.

    Source: Benjamini & Hochberg, "Controlling the false discovery rate", 1995.
    """
    others = np.sort(score[~member])
    mine = np.flatnonzero(member)
    above = len(others) - np.searchsorted(others, score[mine], "left")
    p = (above + 1.0) / (len(others) + 1.0)
    order = np.argsort(p, kind="stable")
    passed = np.flatnonzero(p[order] <= level * np.arange(1, len(p) + 1) / len(p))
    return mine[order[: passed[-1] + 1]] if len(passed) else mine[:0]


def _separable(blind: tuple[float, float, float]) -> str:
    value, low, high = blind
    if low <= 0.5:
        return ""
    return (
        f"rows can be told apart without the model (AUC {value:.3f}, {low:.3f} to {high:.3f}): training and "
        "held-out rows differ by more than membership, so a high score would prove nothing"
    )


def _dropped(seen: Membership) -> tuple[str, ...]:
    return (f"{seen.duplicates:,} rows found on both sides were left out",) if seen.duplicates else ()


def _too_few(plugin: str, metric: str, rows: str, others: int, needed: int) -> Measurement:
    return Measurement(
        plugin=plugin,
        metric=metric,
        value=None,
        n=others,
        better=Better.LOWER,
        slice=rows,
        status=Status.UNTRIED,
        reason=f"{others:,} held-out rows cannot show this false-positive rate; it takes {needed:,}",
    )


def _log_ratio(upper: float, lower: float) -> float:
    return max(0.0, math.log(upper / lower)) if upper > 0.0 and lower > 0.0 else 0.0


def _half(areas: Sequence[tuple[float, float, float]], end: int) -> float:
    return math.sqrt(sum((a[end] - a[0]) ** 2 for a in areas)) / len(areas)


def _sample(member: Vector, rng: np.random.Generator, most: int = 20_000) -> Vector:
    """Rows in random order, each class alternately spread over both folds."""
    rows = rng.permutation(len(member))[:most]
    return rows[np.argsort(member[rows], kind="stable")]


def _ranks(score: Vector) -> Vector:
    ordered = np.sort(score)
    return (np.searchsorted(ordered, score, "left") + np.searchsorted(ordered, score, "right") + 1) / 2.0


PLUGIN = Advantage
