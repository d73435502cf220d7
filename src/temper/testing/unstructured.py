"""Toy pictures and texts with training rows, a model that can be fitted again, and held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Recipe, Target
from temper.core.text import TextSchema
from temper.engine.fitting import fit_of
from temper.testing.law import sealed

_SHAPE = (1, 8, 8)
_WORDS = (("good", "happy", "story", "help"), ("free", "prize", "cash", "urgent"))
_OTHERS = ("the", "you", "call", "today", "it", "a", "we", "see", "of", "and", "more", "about")


def pictures(n: int, seed: int) -> Data:
    """Pictures (n, 1, 8, 8) in [0, 1], bright in the left half or in the right; arrays are read-only."""
    rng = Draws(seed, "testing.pictures").generator()
    y = rng.integers(0, 2, n)
    x = rng.uniform(0.0, 0.5, (n, *_SHAPE))
    x[..., 2:6, 2:4] += 0.4 * (y == 0)[:, None, None, None]
    x[..., 2:6, 4:6] += 0.4 * (y == 1)[:, None, None, None]
    return Data(x=sealed(x.astype(np.float32)), y=sealed(y), ids=sealed(np.arange(n)))


def texts(n: int, seed: int) -> Data:
    """Texts of eight words, two of which give the class away most of the time; arrays are read-only."""
    rng = Draws(seed, "testing.texts").generator()
    y = rng.integers(0, 2, n)
    said = np.where(rng.random(n) < 0.9, y, 1 - y)
    rows = [
        " ".join(rng.permutation([*rng.choice(_WORDS[of], 2), *rng.choice(_OTHERS, 6)]).tolist())
        for of in said.tolist()
    ]
    return Data(x=sealed(np.array(rows, dtype=object)), y=sealed(y), ids=sealed(np.arange(n)))


@cache
def trained_pictures(n: int = 60) -> Scene:
    """Held-out pictures, training pictures and a small torch net fitted on them."""
    train, others = pictures(300, 1), pictures(n, 2)
    target = _Net(train)
    return _scene(train, others, Schema.box(0.0, 1.0), target.target, target.fit)


@cache
def trained_texts(n: int = 60) -> Scene:
    """Held-out texts, training texts and a logistic model of words fitted on them."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from temper.targets.load import open_target

    train, others = texts(300, 1), texts(n, 2)
    target = open_target(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(train.x, train.y))
    return _scene(
        train, others, TextSchema(), target, lambda subsets, recipe: [target.refit(s, recipe) for s in subsets]
    )


class _Net:
    """A convolution and a dense layer, trained on these pictures by the loop that fits nets again."""

    def __init__(self, train: Data) -> None:
        import torch

        from temper.targets.load import open_target

        bare = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(256, 2)
        )
        self.target = fit_of(open_target(bare.eval()))(train, Recipe(seed=0))

    def fit(self, subsets: Sequence[Data], recipe: Recipe) -> list[Target]:
        return [fit_of(self.target)(subset, recipe) for subset in subsets]


def _scene(train: Data, others: Data, domain: Schema, target: Target, fit: Any) -> Scene:
    return Scene(
        x=others.x,
        y=others.y,
        ids=sealed(np.asarray(others.ids) + 1_000),
        schema=domain,
        kind=target.kind,
        train=train,
        target=target,
        fit=fit,
        threshold=None,
    )
