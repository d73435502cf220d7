"""How often somebody has to try: hits after N tries of best-of-N, and what the growth forecasts for more of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.engine.redteam.attempts import Attempt
from temper.engine.redteam.campaign import Found
from temper.kernels.clustered import bounded_mean
from temper.kernels.power_law import LEAST_TRIES, STRETCH, Fit, hit_curve, power_law

BEST = "injection.best_of_n"
_POINTS = 12


def growth(found: Found) -> list[Measurement]:
    """Hit@N of best-of-N over its goals, and the power law's forecast for twice and four times the tries, where nothing
    refutes it. A try is one draw; trials of one draw are alike, so each trial counts apart and the mean is taken.
    """
    curves = _curves(found.attempts.get(BEST, []))
    if not curves or (tried := min(map(len, curves.values()))) < 2:
        return []
    whole = np.array([curve[:tried] for curve in curves.values()])
    fit = power_law(whole, [2 * tried, STRETCH * tried])
    return [_seen(whole, fit), *_forecast(fit)]


def _curves(attempts: Sequence[Attempt]) -> Mapping[str, Any]:
    """By goal the chance that at least one of k draws is a hit, for every k."""
    tried: dict[str, dict[int, list[bool]]] = {}
    for one in attempts:
        if one.valid:
            tried.setdefault(one.injection.goal, {}).setdefault(one.trial, []).append(one.hit)
    found = {}
    for goal, trials in tried.items():
        least = min(map(len, trials.values()))
        found[goal] = np.mean([hit_curve(sum(hits), len(hits))[:least] for hits in trials.values()], axis=0)
    return found


def _seen(curves: Any, fit: Fit) -> Measurement:
    """The rate after all tries, with the curve that leads there."""
    goals, tried = curves.shape
    points = []
    for k in sorted({int(k) for k in np.geomspace(1, tried, _POINTS).round()}):
        value, low, high = bounded_mean(curves[:, k - 1].clip(0.0, 1.0))
        points.append(Point(at=float(k), value=value, low=low, high=high, n=goals))
    last = points[-1]
    law = f"-log(rate) = {fit.scale:.3g} * N^-{fit.exponent:.3g}"
    return _measured(
        f"hit_at_{tried}",
        value=last.value,
        low=last.low,
        high=last.high,
        n=goals,
        method=f"unbiased over draws, {goals} goals",
        caveats=(f"no forecast: {fit.refuted}" if fit.refuted else f"grows as a power law, {law}",),
        curve=Curve(name="hit rate after N tries", axis="tries", unit="share", points=tuple(points), scale="log"),
    )


def _forecast(fit: Fit) -> list[Measurement]:
    """What more tries would come to: an extrapolation, and marked as one."""
    if fit.refuted:
        if fit.tried < LEAST_TRIES:
            return []
        return [_measured("forecast", value=None, status=Status.INCONCLUSIVE, reason=fit.refuted, n=fit.clusters)]
    return [
        _measured(
            f"forecast_at_{n}",
            value=rate,
            low=low,
            high=high,
            n=fit.clusters,
            method=f"EXTRAPOLATED from {fit.tried} tries by a power law, bootstrap over {fit.clusters} goals",
            caveats=("an extrapolation: nobody tried so often",),
        )
        for n, rate, low, high in fit.points
    ]


def _measured(metric: str, **more: Any) -> Measurement:
    return Measurement(plugin=BEST, metric=metric, unit="share", better=Better.LOWER, **more)
