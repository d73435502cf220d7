"""Whether explanations of the model hold still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.kernels.weighted import resamples
from temper.validation._measured import estimate, missing, not_applicable
from temper.validation._reasons import by_id, features_of, overlap, overlap_by_chance, score_of

NAME = "explanation"
_FEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Three ways explanations may wobble: between neighbours, between halves of the data, in their order.

    `stability`: cosine similarity of a row's reasons (what its score, in log odds, loses when one feature comes from
    each of `references` other rows) before and after noise of `noise` column scales on its quantities, mean over rows.
    `top_overlap`: Jaccard index of the `top` features of two disjoint halves permuted with different seeds.
    `rank_agreement`: rank correlation of all features between these halves.
    Misleads for strongly dependent features: setting one alone asks the model about rows that do not exist.
    Source: Alvarez-Melis & Jaakkola, "On the robustness of interpretability methods", 2018 (neighbours); Fisher, Rudin
    & Dominici, "All models are wrong, but many are useful", 2019 (permutation importance).

    >>> Explanation().top
    5
    """

    top: int = 5
    noise: float = 0.1
    rows: int = 2000
    neighbours: int = 200
    references: int = 5
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`stability`, `top_overlap` and `rank_agreement` over a sample of the scene's rows."""
        names = ("stability", "top_overlap", "rank_agreement")
        if not scene.schema.columns or np.ndim(scene.x) != 2 or len(scene.schema.columns) < 2:
            return not_applicable(NAME, "reasons need a table of at least two columns")
        if len(scene.x) < _FEWEST:
            reason = f"{len(scene.x)} rows are too few, {_FEWEST} are needed"
            return tuple(missing(NAME, m, Status.INCONCLUSIVE, reason, better=Better.HIGHER) for m in names)
        scene = by_id(scene)
        rng = Draws(self.seed, NAME, scene.ids)
        features = features_of(scene.schema)
        order = rng.generator().permutation(len(scene.x))
        near = np.sort(order[: self.neighbours])
        halves = order[: self.rows // 2], order[self.rows // 2 : self.rows]
        if len(scene.x) < self.rows:
            halves = order[::2], order[1::2]
        importances = [_importance(scene, half, features, rng, i) for i, half in enumerate(halves)]
        return (self._stability(scene, near, features, rng), *self._agreement(importances, rng))

    def _stability(self, scene: Scene, rows: Any, features: list[Any], rng: Draws) -> Measurement:
        x = np.asarray(scene.x, dtype=np.float64)
        references = x[rng.generator(8).choice(len(x), self.references)]
        moved = _neighbour(x[rows], rows, scene.schema, self.noise, rng)
        before, after = (_reasons(scene, part, features, references) for part in (x[rows], moved))
        alike = _cosine(before, after)
        drawn = np.concatenate([w @ alike / len(rows) for w in resamples(len(rows), self.replicates, rng.generator(9))])
        mixed = float(_cosine(before, np.roll(after, 1, axis=0)).mean())
        return estimate(
            NAME,
            "stability",
            float(alike.mean()),
            drawn,
            len(rows),
            Better.HIGHER,
            unit="cosine similarity",
            baseline=(("reasons of another row", mixed),),
            caveats=(
                f"noise of {self.noise:g} column scales; worst tenth of rows below {np.quantile(alike, 0.1):.2f}",
            ),
        )

    def _agreement(self, halves: list[Any], rng: Draws) -> tuple[Measurement, ...]:
        """`halves` hold per row and feature how far the score moved: (rows, features) each."""
        n, width = sum(len(half) for half in halves), halves[0].shape[1]
        top = max(1, min(self.top, width // 2))
        drawn = []
        for i, half in enumerate(halves):
            generator = rng.generator(10 + i)
            drawn.append(
                np.concatenate([w @ half / len(half) for w in resamples(len(half), self.replicates, generator)])
            )
        first, second = (half.mean(axis=0, keepdims=True) for half in halves)
        return (
            estimate(
                NAME,
                "top_overlap",
                float(overlap(first, second, top)[0]),
                overlap(drawn[0], drawn[1], top),
                n,
                Better.HIGHER,
                unit=f"Jaccard index of the top {top}",
                baseline=(("two random orders", overlap_by_chance(width, top)),),
            ),
            estimate(
                NAME,
                "rank_agreement",
                float(_rank_correlation(first, second)[0]),
                _rank_correlation(drawn[0], drawn[1]),
                n,
                Better.HIGHER,
                unit="rank correlation",
                baseline=(("two random orders", 0.0),),
            ),
        )


def _neighbour(x: Any, rows: Any, schema: Schema, noise: float, rng: Draws) -> Any:
    """The rows with a little noise on their quantities; codes stay, whole numbers stay whole."""
    grouped = np.isin(np.arange(x.shape[1]), [i for group in schema.groups for i in group])
    sizes = np.where(schema.categorical | grouped, 0.0, noise * schema.scales)
    moved = x + sizes * np.asarray(rng.normal(rows, 0, (x.shape[1],)))
    whole = np.array([column.discrete for column in schema.columns])
    moved = np.where(whole, np.round(moved), moved)
    return np.clip(moved, np.fmin(schema.lows, x), np.fmax(schema.highs, x))


def _reasons(scene: Scene, x: Any, features: list[Any], references: Any) -> Any:
    """Per row and feature what the score loses on average when the feature comes from a reference row instead."""
    stacked = np.tile(x, (len(features), len(references), 1, 1))
    for i, feature in enumerate(features):
        stacked[i][:, :, feature] = references[:, None, feature]
    without = score_of(scene, stacked.reshape(-1, x.shape[1])).reshape(len(features), len(references), len(x))
    return (score_of(scene, x) - without.mean(axis=1)).T


def _importance(scene: Scene, rows: Any, features: list[Any], rng: Draws, half: int) -> Any:
    """Per row and feature how far the score moves when the feature comes from another row of the half."""
    x = np.asarray(scene.x, dtype=np.float64)[rows]
    generator, moved = rng.generator(1 + half), []
    clean = score_of(scene, x)
    for feature in features:
        other = x.copy()
        other[:, feature] = x[generator.permutation(len(x))][:, feature]
        moved.append(np.abs(score_of(scene, other) - clean))
    return np.stack(moved, axis=1)


def _cosine(a: Any, b: Any) -> Any:
    """Per row the similarity of two reason vectors: 1 where neither has a reason, 0 where only one has."""
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    empty = (np.abs(a).max(axis=1) < 1e-12) & (np.abs(b).max(axis=1) < 1e-12)
    alike = np.divide((a * b).sum(axis=1), sizes, out=np.zeros(len(a)), where=sizes > 1e-24)
    return np.where(empty, 1.0, alike)


def _rank_correlation(a: Any, b: Any) -> Any:
    """Spearman's correlation per row of two importance tables (b, features)."""
    from scipy.stats import rankdata

    first, second = (rankdata(part, axis=1) for part in (a, b))
    first, second = (part - part.mean(axis=1, keepdims=True) for part in (first, second))
    sizes = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide((first * second).sum(axis=1), sizes, out=np.full(len(a), np.nan), where=sizes > 0)


PLUGIN = Explanation
