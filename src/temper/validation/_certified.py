"""What checks that prove things share: which rows, the share of them that is proven, and the curve over radii."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.certificate import Certificate, Certified
from temper.core.measure import Better, Curve, Measurement, Point
from temper.core.seed import Draws
from temper.kernels.rate import wilson
from temper.validation._measured import not_applicable

Rows = np.ndarray[Any, Any]
POINTS = 11


def chosen(scene: Scene, most: int, seed: int, name: str) -> Rows:
    """At most this many rows, drawn by their ids, so that their order does not matter."""
    rank = Draws(seed, f"{name}/rows", ids=scene.ids).uniform(np.arange(len(scene.x)), 0)
    return np.sort(np.argsort(rank, kind="stable")[:most])


def nothing_proven(name: str, reason: str, norm: str) -> Certified:
    """The answer where there is nothing to prove anything about."""
    none: Rows = np.empty(0)
    return Certified(
        measurements=not_applicable(name, reason),
        certificate=Certificate(method=name, norm=norm, ids=none.astype(np.int64), radius=none, limit=none),
    )


def rate(name: str, metric: str, hits: Rows, better: Better = Better.HIGHER, **more: Any) -> Measurement:
    """The share of rows that have a property, with Wilson's interval."""
    count, n = int(np.sum(hits)), len(hits)
    low, high = wilson(count, n)
    return Measurement(
        plugin=name, metric=metric, value=count / n, low=low, high=high, n=n, count=count, better=better, **more
    )


def over_radii(radius: Rows, norm: str, longest: float) -> Curve:
    """The share of rows proven at each of an even ladder of radii."""
    points = []
    for at in np.linspace(0.0, longest, POINTS):
        held = int(np.sum((radius >= at) & (radius > 0)))
        low, high = wilson(held, len(radius))
        points.append(Point(at=float(at), value=held / len(radius), low=low, high=high, n=len(radius)))
    return Curve(name="certified share by radius", axis=f"radius in {norm}", unit="", points=tuple(points))
