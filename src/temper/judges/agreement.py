"""How good a stolen copy is: agreement on the decisions that matter, beside what guessing already agrees on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.judges._pooled import placements, student
from temper.judges._several import cohen, confusion, macro_f1, mean_auc, mean_auc_ratio
from temper.kernels.bootstrap import interval
from temper.kernels.ranking import auc, f1, kappa
from temper.kernels.rate import measure_rate

Vector = np.ndarray[Any, Any]

_ENOUGH = 10
_END = 1e-4
_OWN = "own labels, no queries"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Copied:
    """Decisions (n,) of the victim, of the copy, and of a model the attacker could have had without asking: whether it
    flags, or class numbers.

    `own_scores`: the scores (n,) of that model, `queries` and `known` (unlabelled rows held): what the copy cost.
    `bare`: the copy saw decisions only.
    """

    victim: Vector
    copy: Vector
    own: Vector
    own_scores: Vector
    queries: int
    known: int
    bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """F1 and kappa of a copy's decisions against the victim's, raw agreement, fit of the scores, and AUC ratio.

    Of several classes F1 is the mean over classes, and the AUC that of each against the rest.
    Raw agreement misleads when flags are rare: never flagging agrees on nearly every row, so it stands beside that
    figure and no requirement should name it. The spread is of held-out rows; another attack run would differ a little.
    Source: Jagielski et al., "High accuracy and high fidelity extraction of neural networks", 2020.

    >>> Agreement(plugin="extraction.surrogate").charged
    False
    """

    charged: ClassVar[bool] = False
    plugin: str = "extraction"
    confidence: float = 0.95
    replicates: int = 1_000
    rng: Draws = field(default_factory=lambda: Draws(0, "judges.agreement"))

    def judge(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """`outcome.clean`, `outcome.scores`: flagged-class scores (n,), or shares (n, k), of victim and copy.

        `payload`: `Copied`.
        """
        seen, victim = outcome.payload, outcome.clean
        if not isinstance(seen, Copied) or victim is None:
            raise TemperError("agreement needs the decisions and scores of both models", fix="pass payload and clean")
        if scene.classes > 2:
            return self._several(seen, outcome.y, victim, outcome.scores)
        ratio = self._ratio(seen, outcome.y, victim, outcome.scores)
        fit = () if seen.bare else (self._line_fit(seen, scene.kind, victim, outcome.scores),)
        return (*self._decisions(seen), *fit, self._order(seen, victim, outcome.scores), ratio)

    def _decisions(self, seen: Copied) -> tuple[Measurement, ...]:
        never = np.zeros(len(seen.victim), dtype=bool)
        own, n = seen.own, len(never)
        same = int(np.count_nonzero(seen.copy == seen.victim))
        least = float(np.mean(seen.victim == never))
        raw = measure_rate(
            self.plugin,
            "raw_agreement",
            same,
            n,
            better=Better.NEITHER,
            queries=seen.queries,
            baseline=(("never flagging", least), (_OWN, float(np.mean(own == seen.victim)))),
            caveats=("read f1 instead: never flagging agrees almost as often",) if least > 0.8 else (),
        )
        beside = ((_OWN, _zero(f1(seen.victim, own))), ("never flagging", 0.0))
        chance = ((_OWN, _zero(kappa(seen.victim, own))), ("never flagging", 0.0))
        few = int(seen.victim.sum())
        reason = f"the victim flags {few} of {n:,} held-out rows; it takes {_ENOUGH}" if few < _ENOUGH else ""
        return (
            self._tabled(seen, "f1", f1(seen.victim, seen.copy), f1_of, beside, reason),
            self._tabled(seen, "kappa", kappa(seen.victim, seen.copy), kappa_of, chance, reason),
            raw,
        )

    def _several(self, seen: Copied, y: Vector, victim: Vector, copy: Vector) -> tuple[Measurement, ...]:
        """Of several classes: macro F1, kappa, raw agreement and the ratio of mean AUCs."""
        classes, n = victim.shape[1], len(seen.victim)
        counts = confusion(seen.victim, seen.copy, classes)
        own = confusion(seen.victim, seen.own, classes)
        usual = confusion(seen.victim, np.full(n, np.bincount(seen.victim).argmax()), classes)
        rng = self.rng.child("several").generator(seen.queries)
        drawn = rng.multinomial(n, counts.ravel() / n, size=self.replicates).reshape((-1, classes, classes))
        tails = (0.5 - self.confidence / 2.0, 0.5 + self.confidence / 2.0)
        found = []
        for metric, statistic in (("f1", macro_f1), ("kappa", cohen)):
            value = float(statistic(counts))
            low, high = (float(end) for end in np.nanquantile(statistic(drawn), tails))
            beside = tuple(
                (name, _zero(float(statistic(of)))) for name, of in ((_OWN, own), ("always the usual class", usual))
            )
            figure = (value, min(low, value), max(high, value))
            found.append(self._figure(seen, metric, figure, n, "percentile bootstrap over rows, macro", beside))
        same = int(np.trace(counts))
        shares = ((_OWN, float(np.trace(own)) / n), ("always the usual class", float(np.trace(usual)) / n))
        raw = measure_rate(
            self.plugin, "raw_agreement", same, n, better=Better.NEITHER, queries=seen.queries, baseline=shares
        )
        return (*found, raw, self._mean_ratio(seen, y, victim, copy))

    def _mean_ratio(self, seen: Copied, y: Vector, victim: Vector, copy: Vector) -> Measurement:
        truth = np.asarray(y)
        if len(np.unique(truth)) < 2:
            return self._missing(seen, "auc_ratio", "the held-out rows have one class only")
        best = mean_auc(truth, victim)
        baseline = ((_OWN, mean_auc(truth, seen.own_scores) / best), ("a coin", 0.5 / best), ("victim AUC", best))
        figure = mean_auc_ratio(truth, victim, copy, self.confidence)
        return self._figure(seen, "auc_ratio", figure, len(truth), "DeLong over rows, mean of classes", baseline)

    def _line_fit(self, seen: Copied, kind: ScoreKind, victim: Vector, copy: Vector) -> Measurement:
        lines = (on_line(victim, kind), on_line(copy, kind))
        baseline = ((_OWN, r_squared(lines[0], on_line(seen.own_scores, kind))), ("constant", 0.0))
        return self._resampled(seen, "logit_r2", r_squared, lines, baseline)

    def _order(self, seen: Copied, victim: Vector, copy: Vector) -> Measurement:
        """Spearman's correlation with Bonett and Wright's interval."""
        value, n = spearman(victim, copy), len(victim)
        low, high = value, value
        if n > 4 and abs(value) < 1.0:
            spread = (1.0 + value * value / 2.0) / (n - 3.0)
            low, high = (
                float(np.tanh(end)) for end in student(float(np.arctanh(value)), [(spread, n)], self.confidence)
            )
        return self._figure(
            seen,
            "spearman",
            (value, low, high),
            n,
            "Fisher z with Bonett-Wright variance",
            ((_OWN, spearman(victim, seen.own_scores)), ("constant", 0.0)),
        )

    def _ratio(self, seen: Copied, y: Vector, victim: Vector, copy: Vector) -> Measurement:
        """How far the copy's order of rows comes up to the victim's, against the truth."""
        truth = (np.asarray(y) == 1).astype(int)
        if truth.min() == truth.max():
            return self._missing(seen, "auc_ratio", "the held-out rows have one class only")
        best = auc(truth, victim)
        baseline = (
            (_OWN, auc(truth, seen.own_scores) / best),
            ("a coin", 0.5 / best),
            ("victim AUC", best),
        )
        figure = auc_ratio(truth, victim, copy, self.confidence)
        return self._figure(seen, "auc_ratio", figure, len(truth), "DeLong, delta method", baseline)

    def _tabled(
        self,
        seen: Copied,
        metric: str,
        value: float,
        statistic: Callable[[Vector], Vector],
        baseline: tuple[tuple[str, float], ...],
        reason: str,
    ) -> Measurement:
        """A figure that depends on the rows through their two-by-two table only: resampling rows is resampling it."""
        if reason:
            return self._missing(seen, metric, reason)
        counts, n = table(seen.victim, seen.copy), len(seen.victim)
        drawn = self.rng.child(metric).generator(seen.queries).multinomial(n, counts / n, size=self.replicates)
        tails = (0.5 - self.confidence / 2.0, 0.5 + self.confidence / 2.0)
        low, high = (float(end) for end in np.nanquantile(statistic(drawn.T), tails))
        figure = (value, min(low, value), max(high, value))
        return self._figure(seen, metric, figure, n, "percentile bootstrap over rows", baseline)

    def _resampled(
        self,
        seen: Copied,
        metric: str,
        statistic: Callable[..., float],
        arrays: tuple[Vector, ...],
        baseline: tuple[tuple[str, float], ...],
    ) -> Measurement:
        figure = interval(
            statistic,
            *arrays,
            rng=self.rng.child(metric).generator(seen.queries),
            replicates=self.replicates,
            confidence=self.confidence,
            method="percentile",
        )
        return self._figure(seen, metric, figure, len(arrays[0]), "percentile bootstrap over rows", baseline)

    def _figure(
        self,
        seen: Copied,
        metric: str,
        figure: tuple[float, float, float],
        n: int,
        method: str,
        baseline: tuple[tuple[str, float], ...],
    ) -> Measurement:
        if not np.isfinite(figure).all():
            return self._missing(seen, metric, "the figure is undefined on these rows")
        answers = "decisions only" if seen.bare else "scores"
        return Measurement(
            plugin=self.plugin,
            metric=metric,
            value=figure[0],
            low=figure[1],
            high=figure[2],
            confidence=self.confidence,
            n=n,
            better=Better.LOWER,
            method=method,
            queries=seen.queries,
            baseline=baseline,
            caveats=(f"{seen.queries:,} queries answered with {answers}, {seen.known} unlabelled rows held; one run",),
        )

    def _missing(self, seen: Copied, metric: str, reason: str) -> Measurement:
        return Measurement(
            plugin=self.plugin,
            metric=metric,
            value=None,
            n=len(seen.victim),
            better=Better.LOWER,
            queries=seen.queries,
            status=Status.INCONCLUSIVE,
            reason=reason,
        )


def r_squared(wanted: Vector, given: Vector) -> float:
    """Share of the victim's spread that the copy explains; NaN when the victim has none.

    >>> r_squared(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    1.0
    """
    spread = float(((wanted - wanted.mean()) ** 2).sum())
    return 1.0 - float(((wanted - given) ** 2).sum()) / spread if spread > 0.0 else float("nan")


def spearman(a: Vector, b: Vector) -> float:
    """Rank correlation, ties at their mean rank; 0 when one side is constant.

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0])), 6)
    1.0
    """
    left, right = _ranks(a), _ranks(b)
    spread = float(left.std() * right.std())
    return float(((left - left.mean()) * (right - right.mean())).mean()) / spread if spread > 0.0 else 0.0


def auc_ratio(y: Vector, victim: Vector, copy: Vector, confidence: float = 0.95) -> tuple[float, float, float]:
    """AUC of the copy divided by the victim's, with its interval over the same rows.

    >>> auc_ratio(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.1, 0.2, 0.8, 0.9]))
    (1.0, 1.0, 1.0)
    """
    ours, theirs = placements(y, copy), placements(y, victim)
    best = float(theirs[0].mean())
    value = float(ours[0].mean()) / best if best > 0.0 else float("nan")
    moved = [(mine - value * other) / best for mine, other in zip(ours, theirs, strict=True)]
    parts = [(float(part.var(ddof=1)) / len(part), len(part) - 1) for part in moved if len(part) > 1]
    return (value, *student(value, parts, confidence))


def reached(at: Sequence[float], values: Sequence[float], level: float) -> float | None:
    """Where a curve first comes up to the level, log-linear between its points; None where it does not.

    >>> reached([100, 1_000], [0.5, 0.9], 0.7).__round__()
    316
    >>> reached([100, 1_000], [0.5, 0.6], 0.7) is None
    True
    """
    for position, value in enumerate(values):
        if value >= level:
            if position == 0:
                return float(at[0])
            left, before = at[position - 1], values[position - 1]
            share = (level - before) / (value - before)
            return float(left * (at[position] / left) ** share)
    return None


def table(victim: Vector, copy: Vector) -> Vector:
    """Counts (4,): both flag, only the victim, only the copy, neither.

    >>> table(np.array([True, True, False]), np.array([True, False, False]))
    array([1, 1, 0, 1])
    """
    return np.bincount(3 - 2 * np.asarray(victim, dtype=int) - np.asarray(copy, dtype=int), minlength=4)


def f1_of(counts: Vector) -> Vector:
    """F1 from tables (4, ...); 0 where nobody flags."""
    both, only_victim, only_copy, _ = counts
    return np.asarray(2.0 * both / np.maximum(2 * both + only_victim + only_copy, 1))


def kappa_of(counts: Vector) -> Vector:
    """Cohen's kappa from tables (4, ...); NaN where both are constant."""
    both, only_victim, only_copy, neither = (part.astype(float) for part in counts)
    n = both + only_victim + only_copy + neither
    chance = (both + only_victim) * (both + only_copy) + (neither + only_victim) * (neither + only_copy)
    room = n * n - chance
    return np.where(room > 0.0, (n * (both + neither) - chance) / np.where(room > 0.0, room, 1.0), np.nan)


def _zero(value: float) -> float:
    return 0.0 if np.isnan(value) else value


def on_line(score: Vector, kind: ScoreKind) -> Vector:
    """Flagged-class scores on an unbounded line: the logit of a probability, a margin as it is.

    Probabilities are cut at 0.0001 from either end: forests answer exactly 0 and 1, whose logits are infinite.

    >>> on_line(np.array([0.5]), ScoreKind.PROBABILITIES)
    array([0.])
    """
    if kind is ScoreKind.MARGIN:
        return np.asarray(score, dtype=float)
    bounded = np.clip(np.asarray(score, dtype=float), _END, 1.0 - _END)
    return np.asarray(np.log(bounded / (1.0 - bounded)))


def _ranks(score: Vector) -> Vector:
    ordered = np.sort(score)
    return (np.searchsorted(ordered, score, "left") + np.searchsorted(ordered, score, "right")) / 2.0


PLUGIN = Agreement
