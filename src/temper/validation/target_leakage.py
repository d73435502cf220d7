"""A column that all but is the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.schema import Column
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.loss import flagged_score
from temper.kernels.ranking import auc
from temper.kernels.weighted import Ranked, resamples
from temper.validation._lapses import halves
from temper.validation._measured import estimate, missing, not_applicable, scored

NAME = "target_leakage"
_FEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLeakage:
    """How well the best single column tells the target: `alone_auc` (of values `alone_r2`), beside the model's own.

    A column is turned into rates of the target over `bins` bands of equal count, categories, and missing values, so
    that a gap which tells the answer counts as well. Columns are compared on one half of the rows; the one that tells
    most is judged on the other, whose rows had no part in the choice. More classes: the class it tells best.
    Misleads where one column truly decides: it cannot know what was written before and what after the event, so a
    high figure is a question to whoever made the column. A leak spread over several columns is not seen.
    Source: Kaufman, Rosset & Perlich, "Leakage in data mining: formulation, detection, and avoidance", 2012.

    >>> TargetLeakage().bins
    32
    """

    bins: int = 32
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`alone_auc` (or `alone_r2`) of the column that tells most."""
        columns = scene.schema.columns
        if not columns or np.ndim(scene.x) != 2:
            return not_applicable(NAME, "single columns are looked at in tables")
        metric = "alone_r2" if scene.kind is ScoreKind.VALUE else "alone_auc"
        here, there = halves(np.arange(len(scene.x)), scene, Draws(self.seed, NAME))
        targets = _targets(scene, here, there)
        if not targets:
            reason = f"each half needs {_FEWEST} rows of a class and of the others"
            return (missing(NAME, metric, Status.INCONCLUSIVE, reason, n=len(scene.x), better=Better.LOWER),)
        x = np.asarray(scene.x, dtype=np.float64)
        return (self._judged(scene, metric, x, targets, columns, here, there),)

    def _judged(
        self, scene: Scene, metric: str, x: Any, targets: Sequence[tuple[str, Any]], columns: Any, here: Any, there: Any
    ) -> Measurement:
        first = here & (np.asarray(Draws(self.seed, f"{NAME}/choice", scene.ids).uniform(np.arange(len(x)), 0)) < 0.5)
        tried = []
        for at, column in enumerate(columns):
            code, known = _codes(x[:, at], column, first, self.bins), here & ~first
            for name, y in targets:
                tried.append((_worth(y[known], _rates(code, y, first)[known], metric), at, name, y))
        tried.sort(key=lambda one: -one[0])
        _, at, name, y = tried[0]
        told = _rates(_codes(x[:, at], columns[at], here, self.bins), y, here)[there]
        rng = Draws(self.seed, NAME).generator()
        value, drawn = _resampled(y[there], told, metric, rng, min(self.replicates, max(200, 4_000_000 // len(told))))
        following = next((f"next: {columns[b].name} {v:.3f}" for v, b, _, _ in tried if b != at), "the only column")
        base = (*self._model(scene, metric, y, there), ("knows nothing", 0.0 if metric == "alone_r2" else 0.5))
        caveats = (columns[at].name, *((f"tells {name}",) if len(targets) > 1 else ()), following)
        return estimate(NAME, metric, value, drawn, int(there.sum()), Better.LOWER, baseline=base, caveats=caveats)

    def _model(self, scene: Scene, metric: str, y: Any, there: Any) -> tuple[tuple[str, float], ...]:
        if scene.classes > 2 and scene.kind is not ScoreKind.VALUE:
            return ()
        score = np.asarray(flagged_score(scored(scene), scene.kind))[there]
        return (("the model", _worth(y[there], score, metric)),)


def _targets(scene: Scene, here: Any, there: Any) -> list[tuple[str, Any]]:
    """What is to be told: the value, class 1 of two, each class of more; those with rows enough on both sides."""
    y = np.asarray(scene.y)
    if scene.kind is ScoreKind.VALUE:
        return [("value", y.astype(np.float64))] if min(here.sum(), there.sum()) >= _FEWEST else []
    wanted = [1] if scene.classes == 2 else range(scene.classes)
    parts = [(f"class {label}", (y == label).astype(np.float64)) for label in wanted]
    return [
        (name, one)
        for name, one in parts
        if all(min(one[side].sum(), (1 - one[side]).sum()) >= _FEWEST for side in (here, there))
    ]


def _codes(values: Any, column: Column, known: Any, bins: int) -> Any:
    """The band of each value, by the rows `known`; missing values are a band of their own, the last one."""
    there = known & ~np.isnan(values)
    found = np.unique(values[there])
    if column.type in ("category", "boolean") or len(found) <= bins:
        code, count = np.searchsorted(found, values), len(found) + 1
    else:
        edges = np.unique(np.quantile(values[there], np.linspace(0, 1, bins + 1)[1:-1]))
        code, count = np.searchsorted(edges, values, side="right"), len(edges) + 1
    return np.where(np.isnan(values), count, np.minimum(code, count))


def _rates(code: Any, y: Any, known: Any) -> Any:
    """The mean of the target in each row's band, by the rows `known`; a band without rows has the mean of all."""
    size = int(code.max()) + 1
    rows, total = np.bincount(code[known], minlength=size), np.bincount(code[known], y[known], minlength=size)
    mean = float(y[known].mean())
    return ((total + mean) / (rows + 1))[code]  # one row's worth of the mean: a band of one row tells little


def _worth(y: Any, told: Any, metric: str) -> float:
    if metric == "alone_auc":
        return float(auc(y, told)) if 0 < y.sum() < len(y) else 0.5
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - told) ** 2).sum()) / spread if spread > 0 else 0.0


def _resampled(y: Any, told: Any, metric: str, rng: np.random.Generator, replicates: int) -> tuple[float, Any]:
    n = len(y)
    if metric == "alone_auc":
        ranked = Ranked.of(y, told)
        drawn = [ranked.auc(w) for w in resamples(n, replicates, rng)]
        return float(ranked.auc(np.ones((1, n)))[0]), np.concatenate(drawn)
    off = (y - told) ** 2
    drawn = [1 - w @ off / np.maximum(w @ y**2 - (w @ y) ** 2 / n, 1e-300) for w in resamples(n, replicates, rng)]
    return _worth(y, told, metric), np.concatenate(drawn)


PLUGIN = TargetLeakage
