"""Toy data for the laws: a table with every kind of column, small pictures, short texts, and training rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.text import TextSchema
from temper.kernels.loss import decide
from temper.testing.law import sealed
from temper.testing.toys import Linear, Trainable

SHAPE = (1, 4, 4)
_COSTLY, _FREE = Mutability.COSTLY, Mutability.FREE
_LEVEL = "age"  # immutable: moves a row's distance to the decision without giving the attacker anything


def schema() -> Schema:
    """Numbers, counts, a category, a yes/no, a one-hot group, a gap, a derived column, a relation, fixed columns."""
    hot = [
        Column(name=name, type="integer", low=0, high=1, group="colour", attacker=_COSTLY)
        for name in ("red", "green", "blue")
    ]
    return Schema(
        columns=(
            Column(name="amount", low=0, high=100, scale=10, attacker=_COSTLY),
            Column(name="limit", low=0, high=300, scale=20, attacker=_FREE, direction="rise"),
            Column(name="count", type="integer", low=0, high=20, scale=2, attacker=_COSTLY),
            Column(name="kind", type="category", categories=("a", "b", "c", "d"), attacker=_COSTLY, cost=2),
            Column(name="night", type="boolean", attacker=_COSTLY),
            *hot,
            Column(name="note", low=0, high=10, scale=1, attacker=_FREE, missing=True),
            Column(name="total", attacker=Mutability.DERIVED, formula="amount + 10 * count"),
            Column(name=_LEVEL, low=-10_000, high=10_000, scale=10, sensitive=True),
        ),
        relations=("amount <= limit",),
    )


def table(n: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Admissible rows (n, 11) of `schema`; a fifth of the notes are missing."""
    rng = Draws(seed, "testing.table").generator()
    amount, count = rng.uniform(5, 95, n), rng.integers(1, 19, n).astype(float)
    note = np.where(rng.random(n) < 0.2, np.nan, rng.uniform(1, 9, n))
    own = [amount, amount + rng.uniform(20, 120, n), count, rng.integers(0, 4, n), rng.integers(0, 2, n)]
    return np.column_stack([*own, np.eye(3)[rng.integers(0, 3, n)], note, amount + 10 * count, rng.uniform(20, 80, n)])


def table_model() -> Linear:
    """Every movable column counts; one scale of a number moves the logit by about one."""
    weights = {"amount": 0.1, "limit": -0.05, "count": 0.5, "kind": 0.4, "night": 0.8, "red": 0.8, "note": -0.3}
    return Linear(weights=tuple((weights | {_LEVEL: 0.05}).get(c.name, 0.0) for c in schema().columns))


def table_scene(n: int = 12, *, distance: float = 0.5, seed: int = 0, target: Target | None = None) -> Scene:
    """Rows of the table at this logit from `table_model`'s decision, half on either side; arrays are read-only.

    `y` is what `target` (else the linear model) decides, so that every row is judged right.
    """
    model, x = table_model(), table(n, seed)
    side = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    at = schema().index(_LEVEL)
    x[:, at] += (side * distance - model.logit(x)) / model.weights[at]
    return _scene(x, schema(), target or model, Budget(norm="linf", radius=3.0, queries=60))


def picture_model() -> Linear:
    """Alternating signs over the pixels."""
    return Linear(weights=tuple(4.0 if at % 2 == 0 else -4.0 for at in range(16)))


def picture_scene(n: int = 8, *, distance: float = 0.5, seed: int = 0, target: Target | None = None) -> Scene:
    """Pictures (n, 1, 4, 4) in [0, 1] at this logit from `picture_model`'s decision, half on either side."""
    model = picture_model()
    weights = np.asarray(model.weights).reshape(SHAPE)
    x = Draws(seed, "testing.pictures").uniform(np.arange(n), 0, SHAPE, 0.35, 0.65)
    side = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    x = x + ((side * distance - model.logit(x)) / (weights**2).sum())[:, None, None, None] * weights
    return _scene(x, Schema.box(0.0, 1.0), target or model, Budget(norm="linf", radius=0.2, queries=60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A logistic model of words in closed form: each known word, as it is written, adds its weight, and `{0.5}` its
    number.

    >>> Words(weights=(("free", 1.0),)).logit(np.array(["free offer {-0.5}"], object))
    array([0.5])
    """

    weights: tuple[tuple[str, float], ...]
    access: Access = Access.LABELS | Access.SCORES
    name: str = "words toy"
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False

    @property
    def digest(self) -> str:
        """Of the weights."""
        return hashlib.sha256(repr(self.weights).encode()).hexdigest()

    def logit(self, x: Array) -> Array:
        """The sum of the weights per text (n,)."""
        known = dict(self.weights)
        return np.array([sum(_weight(word, known) for word in text.split()) for text in x], dtype=float)

    def scores(self, x: Array) -> Array:
        """Probabilities (n, 2)."""
        p = 1.0 / (1.0 + np.exp(-np.clip(self.logit(x), -500.0, 500.0)))
        return np.stack([1.0 - p, p], axis=1)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Not offered: texts have none."""
        raise Unsupported("a text has no gradient")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Not offered: its weights are given."""
        raise Unsupported("this toy is not trained")


def _weight(word: str, known: dict[str, float]) -> float:
    return float(word[1:-1]) if word[:1] == "{" and word[-1:] == "}" else known.get(word, 0.0)


def text_model() -> Words:
    """Words that speak for class 1 and words that speak against it."""
    speaks_for = {"free": 1.0, "prize": 1.0, "win": 0.8, "call": 0.6, "urgent": 0.5, "cash": 0.9}
    against = {"love": -1.0, "story": -0.9, "good": -0.8, "happy": -0.7, "think": -0.6, "help": -0.5}
    return Words(weights=(*speaks_for.items(), *against.items()))


def text_scene(n: int = 12, *, distance: float = 0.5, seed: int = 0, target: Target | None = None) -> Scene:
    """Texts of ten words at this logit from `text_model`'s decision, half on either side, three words may change.

    The number in braces sets the distance and is protected.
    """
    model = text_model()
    known = [word for word, _ in model.weights]
    order = np.argsort(Draws(seed, "testing.texts").uniform(np.arange(n), 0, (len(known),)), axis=1)
    texts = np.array([" ".join([*(known[at] for at in row[:9]), "tonight", "{0}"]) for row in order], dtype=object)
    side = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    level = side * distance - model.logit(texts)
    x = np.array(
        [text[:-3] + f"{{{value!r}}}" for text, value in zip(texts, level.tolist(), strict=True)], dtype=object
    )
    domain = TextSchema(protected=r"\{[^}]*\}")
    return _scene(x, domain, target or model, Budget(norm="words", radius=3.0, queries=60))


def training(n: int = 600, seed: int = 1) -> Data:
    """Table rows with noisy truth; arrays are read-only."""
    x = table(n, seed)
    rng = Draws(seed, "testing.truth").generator()
    signal = table_model().logit(x)
    y = (signal - np.median(signal) + rng.logistic(size=n) > 0).astype(np.int64)
    return Data(x=sealed(x), y=sealed(y), ids=sealed(np.arange(n)))


def trained_scene(n: int = 60, *, target: Target | None = None, **more: Any) -> Scene:
    """Held-out rows, the model fitted on `training` with its rows and a way to refit it, and rows somebody holds."""
    train, others = training(), training(n, seed=2)
    model = target or Trainable.fitted(train)
    fields: dict[str, Any] = {
        "threshold": 0.5,
        "train": train,
        "reference": training(40, seed=3),
        "target": model,
        "fit": lambda subsets, recipe: [model.refit(subset, recipe) for subset in subsets],
        "sensitive": (_LEVEL,),
    }
    return Scene(x=others.x, y=others.y, ids=sealed(others.ids + 1_000), schema=schema(), **(fields | more))


def reordered(scene: Scene, order: Array) -> Scene:
    """The same rows in another order (or some of them)."""
    return replace(scene, x=sealed(scene.x[order]), y=sealed(scene.y[order]), ids=sealed(scene.ids[order]))


def _scene(x: Array, domain: Schema, target: Target, budget: Budget) -> Scene:
    y = np.asarray(decide(target.scores(x), target.kind, 0.5))
    return Scene(
        x=sealed(x), y=sealed(y), ids=sealed(100 + np.arange(len(x))), schema=domain, budget=budget, threshold=0.5
    )
