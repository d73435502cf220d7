"""Whether the model is less sure where it is wrong, so that not answering would help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.loss import decide
from temper.kernels.rate import wilson
from temper.kernels.selective import area, best_area, risks
from temper.kernels.weighted import resamples
from temper.validation._measured import estimate, missing, not_applicable, probabilities, scored

NAME = "selective"
_FEWEST, _CELLS, _MARKS = 50, 4_000_000, (0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selective:
    """Mistakes among the rows it is sure of: the area under the curve of risk over coverage, and the risk at one share.

    `aurc`: share of mistakes, on average over all shares of rows answered, the surest first. `gain`: how much of what
    the best possible order would save this one saves (0 is a random order, 1 has every mistake last, below 0 the model
    is surest where it is wrong). `risk`: mistakes among the surest `coverage` of the rows. Sureness is the score of the
    decided class, of a margin its distance from the threshold.
    Misleads where mistakes differ in price, and where few are made: the gain of a handful of mistakes is noise, see its
    interval.
    Source: Geifman & El-Yaniv, "Selective classification for deep neural networks", 2017.

    >>> Selective(coverage=0.9).coverage
    0.9
    """

    coverage: float = 0.8
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`aurc`, `gain` and `risk` over the rows of the scene."""
        if scene.kind is ScoreKind.VALUE:
            return not_applicable(NAME, "a value says nothing of how sure it is")
        n = len(scene.x)
        if n < _FEWEST:
            reason = f"{n} rows are too few, {_FEWEST} are needed"
            better = {"aurc": Better.LOWER, "gain": Better.HIGHER, "risk": Better.LOWER}
            return tuple(missing(NAME, m, Status.INCONCLUSIVE, reason, n=n, better=b) for m, b in better.items())
        sure, wrong = _sure(scene)
        count = int(min(self.replicates, max(200, _CELLS // n)))
        rng, drawn = Draws(self.seed, NAME).generator(), []
        for w in resamples(n, count, rng):
            drawn.append(np.stack([*_areas(sure, wrong, w), _at(sure, wrong, w, self.coverage)]))
        once = np.ones((1, n))
        value = [float(part[0]) for part in (*_areas(sure, wrong, once), _at(sure, wrong, once, self.coverage))]
        return self._told(value, np.concatenate(drawn, axis=1), sure, wrong)

    def _told(self, value: list[float], drawn: Any, sure: Any, wrong: Any) -> tuple[Measurement, ...]:
        n, rate = len(wrong), float(wrong.mean())
        best = float(best_area(wrong, np.ones((1, n)))[0])
        made: dict[str, Any] = {"baseline": (("random order", 0.0),), "caveats": (f"{int(wrong.sum()):,} mistakes",)}
        base = (("random order", rate), ("best order", best))
        curve = Curve(name="risk over coverage", axis="share answered", unit="mistakes", points=_points(sure, wrong))
        return (
            estimate(NAME, "aurc", value[0], drawn[0], n, Better.LOWER, unit="share", baseline=base, curve=curve),
            estimate(NAME, "gain", value[1], drawn[1], n, Better.HIGHER, **made),
            estimate(
                NAME,
                "risk",
                value[2],
                drawn[2],
                n,
                Better.LOWER,
                unit="share",
                baseline=(("all rows answered", rate),),
                caveats=(f"among the surest {self.coverage:.0%} of the rows",),
            ),
        )


def _sure(scene: Scene) -> tuple[Any, Any]:
    """How sure each decision is, and whether it is wrong."""
    scores = scored(scene)
    decided = np.asarray(decide(scores, scene.kind, scene.threshold))
    if scene.kind is ScoreKind.MARGIN:
        sure = np.abs(scores[:, 0] - (scene.threshold or 0.0))
    else:
        sure = probabilities(scores, scene.kind)[np.arange(len(scores)), decided]
    return sure, decided != np.asarray(scene.y)


def _areas(sure: Any, wrong: Any, weights: Any) -> tuple[Any, Any]:
    found, best = area(sure, wrong, weights), best_area(wrong, weights)
    rate = weights @ wrong / weights.sum(axis=1)
    room = rate - best
    return found, 1 - np.divide(found - best, room, out=np.full(len(found), np.nan), where=room > 1e-12)


def _at(sure: Any, wrong: Any, weights: Any, share: float) -> Any:
    """The risk (b,) at the smallest coverage of at least this share."""
    covered, risk = risks(sure, wrong, weights)
    return risk[np.arange(len(risk)), (covered >= share - 1e-12).argmax(axis=1)]


def _points(sure: Any, wrong: Any) -> tuple[Point, ...]:
    covered, risk = (part[0] for part in risks(sure, wrong, np.ones((1, len(wrong)))))
    points = {}
    for mark in _MARKS:
        at = int((covered >= mark - 1e-12).argmax())
        n = round(covered[at] * len(wrong))
        low, high = wilson(round(risk[at] * n), n)
        points[at] = Point(at=float(covered[at]), value=float(risk[at]), low=low, high=high, n=n)
    return tuple(points.values())


PLUGIN = Selective
