"""Whether a stated probability is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.rate import wilson
from temper.kernels.weighted import resamples
from temper.validation._measured import estimate, missing, not_applicable, probabilities, scored

NAME = "calibration"
_FEWEST = 50
_SPLITS = 50
_CELLS = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Brier score, and the calibration error without the share that even a perfect model shows on so few rows.

    `ece` is the expected calibration error over bins of equal count. As usually computed it is too large, most of all
    for a perfect model; here the sign of each bin's gap comes from other rows than its size, which puts a perfect model
    at zero (and shrinks gaps no larger than their noise). The interval's lower end gives a perfect model's whole error
    back (drawn from "every score is the true probability"), the upper end nothing, so that neither FAIL nor PASS rests
    on this bias. `brier` is the mean squared error. For more than two classes both speak of the chosen class's score
    against being right.
    Misleads for few rows of class 1: a bin of rare events hides a factor of two in the rate; read the curve.
    Source: Bröcker & Smith, "Increasing the reliability of reliability diagrams", 2007 (consistency resampling);
    Roelofs et al., "Mitigating bias in calibration error estimation", 2022 (bins of equal count).

    >>> Calibration(bins=10).bins
    10
    """

    bins: int = 15
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`brier` and `ece` (with the reliability curve) over the rows of the scene."""
        if scene.kind in (ScoreKind.VALUE, ScoreKind.MARGIN):
            return not_applicable(NAME, f"the target's scores are a {scene.kind.value}, which promises no probability")
        if len(scene.x) < _FEWEST:
            reason = f"{len(scene.x)} rows are too few, {_FEWEST} are needed"
            return tuple(
                missing(NAME, m, Status.INCONCLUSIVE, reason, n=len(scene.x), better=Better.LOWER)
                for m in ("brier", "ece")
            )
        p, hit = _claims(probabilities(scored(scene), scene.kind), np.asarray(scene.y))
        rng = Draws(self.seed, NAME).generator()
        count = int(min(self.replicates, max(200, _CELLS // len(p))))
        weights_of = [
            (w @ (p - hit) ** 2 / len(p), _errors(p, hit, self.bins, w)) for w in resamples(len(p), count, rng)
        ]
        squared, errors = (np.concatenate(part) for part in zip(*weights_of, strict=True))
        null = _null(p, self.bins, count, rng)
        return _brier(p, hit, squared), _ece(p, hit, self.bins, errors, null, _crossed(p, hit, self.bins, rng))


def _claims(p: Any, y: Any) -> tuple[Any, Any]:
    """What is claimed with which probability, and whether it came true."""
    if p.shape[1] == 2:
        return p[:, 1], (y == 1).astype(np.float64)
    return p.max(axis=1), (p.argmax(axis=1) == y).astype(np.float64)


def _brier(p: Any, hit: Any, drawn: Any) -> Measurement:
    rate = float(hit.mean())
    return estimate(
        NAME,
        "brier",
        float(((p - hit) ** 2).mean()),
        drawn,
        len(p),
        Better.LOWER,
        baseline=(
            ("always the base rate", rate * (1 - rate)),
            ("if every score were true", float((p * (1 - p)).mean())),
        ),
    )


def _ece(p: Any, hit: Any, bins: int, drawn: Any, null: Any, value: float) -> Measurement:
    raw = float(_errors(p, hit, bins, np.ones((1, len(p))))[0])
    chance, high = float(null.mean()), float(np.quantile(null, 0.95))
    # Resampling adds as much bias again as sampling did, so only the spread of the replicates is used.
    below, above = np.quantile(drawn - drawn.mean(), (0.025, 0.975))
    low, top = max(0.0, raw - chance - float(above)), raw - float(below)
    verdict = "cannot be told from a perfect model" if raw <= high else "more than a perfect model would show"
    return Measurement(
        plugin=NAME,
        metric="ece",
        value=min(max(value, low), top),
        low=low,
        high=top,
        n=len(p),
        better=Better.LOWER,
        method=f"{bins} bins of equal count, cross-fitted signs; bootstrap, {len(drawn)} replicates",
        baseline=(("not corrected", raw), ("perfect model, mean", chance), ("perfect model, 95 %", high)),
        caveats=(f"{raw:.4f} before the correction: {verdict}",),
        curve=Curve(name="reliability", axis="stated probability", unit="observed rate", points=_points(p, hit, bins)),
    )


def _bins(p: Any, bins: int) -> Any:
    """The bin (n,) of each row, numbered from 0 without holes: equal counts, and equal scores always together."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, p, side="right"), return_inverse=True)[1]


def _errors(p: Any, hit: Any, bins: int, weights: Any) -> Any:
    """The expected calibration error per row of weights (b, n): sum over bins of |sum of (hit - p)| / n."""
    member = _bins(p, bins)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(member.max() + 1))
    gaps = np.add.reduceat((weights * (hit - p))[:, order], starts, axis=1)
    return np.abs(gaps).sum(axis=1) / weights.sum(axis=1)


def _crossed(p: Any, hit: Any, bins: int, rng: np.random.Generator) -> float:
    """The calibration error with every bin's sign from the other half of the rows, mean over random halves."""
    member, gap = _bins(p, bins), hit - p
    total, found = np.bincount(member, weights=gap), []
    for _ in range(_SPLITS):
        half = rng.random(len(p)) < 0.5
        one = np.bincount(member, weights=gap * half)
        other = total - one
        found.append((one * np.sign(other) + other * np.sign(one)).sum() / len(p))
    return float(np.mean(found))


def _null(p: Any, bins: int, replicates: int, rng: np.random.Generator) -> Any:
    """Calibration errors (replicates,) of outcomes drawn with the stated probabilities themselves."""
    member = _bins(p, bins)
    stated = np.bincount(member, weights=p)
    seen = (np.bincount(member[rng.random(len(p)) < p], minlength=len(stated)) for _ in range(replicates))
    return np.array([np.abs(counts - stated).sum() / len(p) for counts in seen])


def _points(p: Any, hit: Any, bins: int) -> tuple[Point, ...]:
    member, points = _bins(p, bins), []
    for i in range(member.max() + 1):
        rows = member == i
        n, seen = int(rows.sum()), int(hit[rows].sum())
        low, high = wilson(seen, n)
        points.append(Point(at=float(p[rows].mean()), value=seen / n, low=low, high=high, n=n))
    return tuple(points)


PLUGIN = Calibration
