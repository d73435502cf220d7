"""A small made-up table with its truth, a refittable boosted model of it, and the world the rooms run in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.measure import Measurement
from temper.core.schema import Column, Mutability, Schema
from temper.core.system import Exposure, Protected
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.engine.task import Part, Sizes, Task, World

COLUMNS = 12


def rows(n: int, seed: int) -> Data:
    """Eight numbers, two counts, two codes; about a quarter positive, and noisy enough to be memorised."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, COLUMNS))
    x[:, 8:10] = np.round(np.exp(x[:, 8:10]))
    x[:, 10:] = rng.integers(0, 4, size=(n, 2))
    signal = 1.5 * x[:, 0] + x[:, 1] * x[:, 2] + 0.4 * x[:, 8] + 0.8 * (x[:, 10] == 2)
    return Data(x=x, y=(signal + rng.normal(size=n) > 1.8).astype(np.int64))


def schema() -> Schema:
    """The domain of `rows`; nothing an attacker may change of an existing row."""
    numbers = [Column(name=f"n{i}", low=-6.0, high=6.0) for i in range(8)]
    counts = [Column(name=f"k{i}", type="integer", low=0.0, high=200.0) for i in range(2)]
    codes = [Column(name=f"c{i}", type="category", categories=("a", "b", "c", "d")) for i in range(2)]
    return Schema(columns=(*numbers, *counts, *codes))


@dataclass(frozen=True, kw_only=True, eq=False)
class Boosted:
    """XGBoost with fixed settings; memorises with the default ones, does not with few shallow trees."""

    model: Any
    settings: tuple[tuple[str, Any], ...] = ()
    kind: ScoreKind = ScoreKind.PROBABILITIES
    access: Access = Access.LABELS | Access.SCORES | Access.RETRAIN
    name: str = "boosted"
    classes: int = 2
    stochastic: bool = False
    digest: str = "d1"

    @staticmethod
    def fitted(data: Data, seed: int = 0, **settings: Any) -> Boosted:
        import xgboost as xgb

        chosen = {"n_estimators": 60, "max_depth": 6, "n_jobs": 1, "random_state": seed} | settings
        return Boosted(model=xgb.XGBClassifier(**chosen).fit(data.x, data.y), settings=tuple(settings.items()))

    def scores(self, x: Array) -> Array:
        return np.asarray(self.model.predict_proba(x), dtype=float)

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        raise NotImplementedError

    def refit(self, data: Data, recipe: Recipe) -> Target:
        return Boosted.fitted(data, recipe.seed, **dict(self.settings))


SOUND = {"n_estimators": 15, "max_depth": 2, "learning_rate": 0.1, "min_child_weight": 30}


def world(target: Target, train: Data | None, held_out: Data, sizes: Sizes | None = None, **more: Any) -> World:
    """A world in which every held-out row is judged."""
    settings = {"name": "made up", "schema": schema(), "threshold": 0.5, "exposure": Exposure()} | more
    system = Protected(target=target, data=held_out, train=train, **settings)
    every = np.arange(len(held_out))
    return World(system=system, sizes=sizes or Sizes(), seed=0, attacked=every[:10], held_out=every)


def task(plugin: str, sizes: Sizes | None = None, **more: Any) -> Task:
    """A task of the attacks room."""
    return Task(room="attacks", plugin=plugin, sizes=sizes or Sizes(), **more)


def figure(part: Part, metric: str, rows_of: str = "all") -> Measurement:
    """The one measurement of this metric and slice."""
    found = [m for m in part.measurements if m.metric == metric and m.slice == rows_of]
    assert len(found) == 1, f"{len(found)} figures for {metric} on {rows_of}"
    return found[0]


def movable(columns: Schema) -> Schema:
    """The same schema with its first column free, which must not change what an outsider may submit."""
    first = replace(columns.columns[0], attacker=Mutability.FREE)
    return Schema(columns=(first, *columns.columns[1:]), relations=columns.relations)
