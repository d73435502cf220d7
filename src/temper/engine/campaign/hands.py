"""What an attacker does at home, with what other rooms of attacks offer: fit a copy, attack it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from temper.attacks._practice import lowest
from temper.attacks.extraction._student import Student, fit_student
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.campaign import Copy
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind

Rows = np.ndarray[Any, Any]
_FEWEST = 10


def fitted(x: Rows, scores: Rows, edge: float, schema: Schema, seed: int) -> Student:
    """A copy of what was told: of scores, or of decisions where these are all there is."""
    known = np.isfinite(scores)
    x, scores = x[known], scores[known]
    if len(x) < _FEWEST:
        raise TemperError(f"{len(x)} answers are too few for a copy", fix=f"ask about {_FEWEST} rows at least")
    bare = bool(np.isin(scores, (0.0, 1.0)).all())
    codes = np.array([one.type == "category" for one in schema.columns])
    inside = bool((scores >= 0).all() and (scores <= 1).all())
    kind = ScoreKind.PROBABILITIES if inside else ScoreKind.MARGIN
    level = 0.5 if bare else edge
    return fit_student(x, scores, kind, level, bare=bare, categorical=codes, seed=seed, compared=False)


def evaded(
    copy: Copy, clean: Data, schema: Schema, threshold: float, queries: int, most: float, draws: Draws
) -> tuple[Rows, Rows]:
    """Of every row the change that a copy scores lowest (n, d), and which of them it lets pass."""
    x = np.asarray(clean.x, dtype=np.float64)
    scene = Scene(
        x=x,
        y=np.ones(len(x), dtype=np.int64),
        ids=clean.ids,
        schema=schema,
        budget=Budget(norm="cost", cost=None if math.isinf(most) else max(most, 0.0)),
    )
    if not len(schema.movable):
        return x.copy(), np.asarray(copy.scores(x)) < threshold
    found, score = lowest(copy.scores, scene, np.arange(len(x)), replace(draws, ids=clean.ids), queries)
    return found, score < threshold
