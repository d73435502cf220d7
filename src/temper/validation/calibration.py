"""Whether a stated probability is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.calibration import bins_for, bins_of, brier_parts, corrected, errors
from temper.kernels.rate import wilson
from temper.kernels.weighted import resamples
from temper.validation._measured import estimate, missing, not_applicable, probabilities, scored

NAME = "calibration"
_FEWEST = 50
_CELLS = 8_000_000
_METRICS = {"brier": Better.LOWER, "reliability": Better.LOWER, "resolution": Better.HIGHER, "ece": Better.LOWER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Brier score, and the calibration error without the share that even a perfect model shows on so few rows.

    `ece` is the expected calibration error over bins of equal count. As usually computed it is too large, most of all
    for a perfect model; here the sign of each bin's gap comes from other rows than its size, which puts a perfect model
    at zero (and shrinks gaps no larger than their noise). The interval's lower end gives a perfect model's whole error
    back (drawn from "every score is the true probability"), the upper end nothing, so that neither FAIL nor PASS rests
    on this bias. `brier` is the mean squared error; of it `reliability` is what a calibrated model would not have, and
    `resolution` what telling rows apart has saved, both corrected for bins of few rows. For more than two classes all
    speak of the chosen class's score against being right. There are `bins` bins, fewer where one would hold fewer than
    50 rows, and five at least: gaps that change their sign within a bin are not seen.
    Misleads for few rows of class 1: a bin of rare events hides a factor of two in the rate; read the curve.
    Source: Bröcker & Smith, "Increasing the reliability of reliability diagrams", 2007 (consistency resampling);
    Roelofs et al., "Mitigating bias in calibration error estimation", 2022 (bins of equal count); Ferro & Fricker, "A
    bias-corrected decomposition of the Brier score", 2012.

    >>> Calibration(bins=10).bins
    10
    """

    bins: int = 15
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`brier` and its parts, and `ece` (with the reliability curve), over the rows of the scene."""
        if scene.kind in (ScoreKind.VALUE, ScoreKind.MARGIN):
            return not_applicable(NAME, f"the target's scores are a {scene.kind.value}, which promises no probability")
        if len(scene.x) < _FEWEST:
            reason = f"{len(scene.x)} rows are too few, {_FEWEST} are needed"
            return tuple(
                missing(NAME, metric, Status.INCONCLUSIVE, reason, n=len(scene.x), better=better)
                for metric, better in _METRICS.items()
            )
        p, hit = _claims(probabilities(scored(scene), scene.kind), np.asarray(scene.y))
        bins, rng = bins_for(len(p), self.bins), Draws(self.seed, NAME).generator()
        count = int(min(self.replicates, max(200, _CELLS // len(p))))
        weights_of = [
            (w @ (p - hit) ** 2 / len(p), errors(p, hit, bins, w), *brier_parts(p, hit, bins, w))
            for w in resamples(len(p), count, rng)
        ]
        squared, drawn, *parts = (np.concatenate(part) for part in zip(*weights_of, strict=True))
        return _brier(p, hit, squared), *_parts(p, hit, bins, parts), _ece(p, hit, bins, drawn, rng)


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


def _parts(p: Any, hit: Any, bins: int, drawn: Any) -> tuple[Measurement, ...]:
    """What of the Brier score is miscalibration, and what telling rows apart has saved."""
    reliability, resolution, uncertainty = (float(part[0]) for part in brier_parts(p, hit, bins, np.ones((1, len(p)))))
    base = (("uncertainty", uncertainty),)
    told = (("reliability", reliability, Better.LOWER, ()), ("resolution", resolution, Better.HIGHER, base))
    return tuple(
        # Resampling adds bias of its own, so only the spread of the replicates is used.
        estimate(NAME, metric, value, value + part - part.mean(), len(p), better, baseline=baseline)
        for (metric, value, better, baseline), part in zip(told, drawn[:2], strict=True)
    )


def _ece(p: Any, hit: Any, bins: int, drawn: Any, rng: np.random.Generator) -> Measurement:
    found = corrected(p, hit, bins, drawn, rng)
    return Measurement(
        plugin=NAME,
        metric="ece",
        value=found.value,
        low=found.low,
        high=found.high,
        n=len(p),
        better=Better.LOWER,
        method=f"{bins} bins of equal count, cross-fitted signs; bootstrap, {len(drawn)} replicates",
        baseline=(
            ("not corrected", found.raw),
            ("perfect model, mean", found.chance),
            ("perfect model, 95 %", found.chance_high),
        ),
        caveats=(found.told,),
        curve=Curve(name="reliability", axis="stated probability", unit="observed rate", points=_points(p, hit, bins)),
    )


def _points(p: Any, hit: Any, bins: int) -> tuple[Point, ...]:
    member, points = bins_of(p, bins), []
    for i in range(member.max() + 1):
        rows = member == i
        n, seen = int(rows.sum()), int(hit[rows].sum())
        low, high = wilson(seen, n)
        points.append(Point(at=float(p[rows].mean()), value=seen / n, low=low, high=high, n=n))
    return tuple(points)


PLUGIN = Calibration
