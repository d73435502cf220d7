"""Whether what was made from a net's weights lies nearer to its training records than to records it never saw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.judges._pooled import student

Vector = np.ndarray[Any, Any]
METRICS = ("ratio", "distance")
AVERAGE = "the class's average"
_CLASSES, _TINY = 5, 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reconstructions:
    """Inputs (n, ...) made to look like the class `wanted` (n,), where they began, and how sure the net is of them."""

    x: Vector
    start: Vector
    wanted: Vector
    confidence: Vector
    queries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distances:
    """Per class the mean distance to the nearest of as many training and held-out records of the class, the same of the
    starting points, and the mean distance to the class's average training record.
    """

    classes: Vector
    train: Vector
    held_out: Vector
    start: Vector
    average: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """Distance of a reconstruction to the nearest training record of its class over that to the nearest held-out one.

    One where training records are no nearer than others; the interval speaks of classes, which have their records to
    themselves, so it takes five of them. Distances are Euclidean, columns in their standard deviations. A
    reconstruction nearer to the class's average than to any record is called a prototype. Misleads on pictures that are
    shifted or turned: a likeness a person would see may be far by this distance.
    Source: Fredrikson, Jha & Ristenpart, "Model inversion attacks that exploit confidence information", 2015; beside
    held-out records as in Zhang et al., "The secret revealer", 2020.

    >>> Nearness(plugin="inversion.reconstruction").charged
    False
    """

    charged: ClassVar[bool] = False
    plugin: str = "inversion.reconstruction"
    confidence: float = 0.95

    def judge(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """The ratio of distances, and the distance itself beside what it could be."""
        seen = outcome.payload
        if not isinstance(seen, Reconstructions):
            raise TemperError("nearness needs the evidence of a reconstruction", fix="pass it as the payload")
        far = distances(scene, seen)
        prototypes = far.average < far.train
        words = (
            f"{int(prototypes.sum())} of {len(far.classes)} classes give a prototype, nearer to the class's average "
            "than to any record",
            f"the net is {seen.confidence.mean():.0%} sure of them",
        )
        return (self._ratio(far, seen, words), self._distance(far, seen, words))

    def _ratio(self, far: Distances, seen: Reconstructions, words: tuple[str, ...]) -> Measurement:
        logs = log_ratios(far)
        n, value = len(logs), float(logs.mean())
        low = high = value
        if n > 1:
            low, high = student(value, [(float(logs.var(ddof=1)) / n, n - 1)], self.confidence)
        few = f"{n} classes give no spread to judge a ratio by; it takes {_CLASSES}" if n < _CLASSES else ""
        started = float(np.log(np.maximum(far.start[:, 0], _TINY) / np.maximum(far.start[:, 1], _TINY)).mean())
        return Measurement(
            plugin=self.plugin,
            metric="ratio",
            value=math.exp(value),
            low=math.exp(low),
            high=math.exp(high),
            confidence=self.confidence,
            n=n,
            unit="of the distance to held-out records",
            better=Better.HIGHER,
            status=Status.INCONCLUSIVE if few else Status.OK,
            reason=few,
            method="t over classes, of logarithms",
            queries=seen.queries,
            baseline=(("no nearer", 1.0), ("starting points", math.exp(started))),
            caveats=words,
        )

    def _distance(self, far: Distances, seen: Reconstructions, words: tuple[str, ...]) -> Measurement:
        n, value = len(far.train), float(far.train.mean())
        low = high = value
        if n > 1:
            low, high = student(value, [(float(far.train.var(ddof=1)) / n, n - 1)], self.confidence)
        return Measurement(
            plugin=self.plugin,
            metric="distance",
            value=value,
            low=max(low, 0.0),
            high=high,
            confidence=self.confidence,
            n=n,
            better=Better.HIGHER,
            method="t over classes",
            queries=seen.queries,
            baseline=(
                ("held-out records", float(far.held_out.mean())),
                (AVERAGE, float(far.average.mean())),
                ("starting points", float(far.start[:, 0].mean())),
            ),
            caveats=words,
        )


def distances(scene: Scene, seen: Reconstructions) -> Distances:
    """Per class that both sides have at least one record of."""
    if scene.train is None:
        raise TemperError("nearness needs the training records")
    sides = [
        (np.asarray(x, dtype=float), np.asarray(y)) for x, y in ((scene.train.x, scene.train.y), (scene.x, scene.y))
    ]
    records, shift, scale = _scaled(scene, [x for x, _ in sides])
    found: dict[str, list[Any]] = {"classes": [], "train": [], "held_out": [], "start": [], "average": []}
    for kind in np.unique(seen.wanted):
        own = [rows[y == kind] for rows, (_, y) in zip(records, sides, strict=True)]
        many = min(len(rows) for rows in own)
        if not many:
            continue
        made, began = (
            ((x[seen.wanted == kind] - shift) / scale).reshape(-1, own[0].shape[1]) for x in (seen.x, seen.start)
        )
        found["classes"].append(kind)
        found["train"].append(nearest(made, own[0], many).mean())
        found["held_out"].append(nearest(made, own[1], many).mean())
        found["start"].append([nearest(began, rows, many).mean() for rows in own])
        found["average"].append(float(np.linalg.norm(made - own[0].mean(axis=0), axis=1).mean()))
    if not found["classes"]:
        raise TemperError(
            "no class has both training and held-out records", fix="give held-out rows of the same classes"
        )
    return Distances(**{name: np.array(values) for name, values in found.items()})


def nearest(made: Vector, records: Vector, many: int) -> Vector:
    """Distance (n,) to the nearest of `many` records drawn at random, on average over all such draws.

    >>> nearest(np.array([[0.0]]), np.array([[1.0], [2.0], [3.0]]), 2)
    array([1.33333333])
    """
    squares = (made**2).sum(1)[:, None] + (records**2).sum(1)[None] - 2.0 * made @ records.T
    far = np.sort(np.sqrt(np.maximum(squares, 0.0)), axis=1)
    weights, n = np.zeros(len(records)), len(records)
    left = many / n  # the chance that the nearest of all is drawn; then that it is not and the next is, and so on
    for at in range(n - many + 1):
        weights[at] = left
        left *= (n - at - many) / max(n - at - 1, 1)
    return np.asarray(far @ weights)


def log_ratios(far: Distances) -> Vector:
    """Per class the logarithm of the ratio of distances."""
    return np.asarray(np.log(np.maximum(far.train, _TINY) / np.maximum(far.held_out, _TINY)))


def _scaled(scene: Scene, sides: list[Vector]) -> tuple[list[Vector], Vector, Vector]:
    """Both sides as flat rows, columns of a table in standard deviations and gaps at the mean."""
    shape = sides[0].shape[1:]
    shift, scale = np.zeros(shape), np.ones(shape)
    if scene.schema.columns:
        both = np.concatenate(sides)
        shift, spread = np.nan_to_num(np.nanmean(both, axis=0)), np.nan_to_num(np.nanstd(both, axis=0))
        scale = np.where(spread > 0, spread, 1.0)
    flat = [np.nan_to_num((rows - shift) / scale).reshape((len(rows), -1)) for rows in sides]
    return flat, shift, scale


PLUGIN = Nearness
