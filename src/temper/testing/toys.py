"""Toy targets whose answers are known in advance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target

Weights = tuple[float, ...]
_OPEN = Access.LABELS | Access.SCORES | Access.GRADIENTS
_STEPS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A logistic model in closed form, with its gradient: p(class 1) = 1 / (1 + exp(-(w x + b))).

    The sum runs column by column, so an answer does not depend on the rows beside it; missing values read as 0.

    >>> Linear(weights=(1.0,)).scores(np.array([[0.0]]))
    array([[0.5, 0.5]])
    """

    weights: Weights
    bias: float = 0.0
    access: Access = _OPEN
    name: str = "linear toy"
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False

    @property
    def digest(self) -> str:
        """Of the weights."""
        return hashlib.sha256(repr((self.weights, self.bias)).encode()).hexdigest()

    def logit(self, x: Array) -> Array:
        """w x + b per row (n,)."""
        flat = np.nan_to_num(np.asarray(x, dtype=float)).reshape((len(x), len(self.weights)))
        total = np.full(len(x), self.bias)
        for at, weight in enumerate(self.weights):
            total = total + weight * flat[:, at]
        return total

    def scores(self, x: Array) -> Array:
        """Probabilities (n, 2)."""
        p = 1.0 / (1.0 + np.exp(-np.clip(self.logit(x), -500.0, 500.0)))
        return np.stack([1.0 - p, p], axis=1)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Scores and the product with their cotangent, exact."""
        if Access.GRADIENTS not in self.access:
            raise Unsupported("this toy is a black box")
        scores = self.scores(x)
        pull = cotangent(scores)
        slope = (pull[:, 1] - pull[:, 0]) * scores[:, 1] * scores[:, 0]
        product: Array = (slope[:, None] * np.asarray(self.weights)).reshape(x.shape)
        return scores, np.where(np.isnan(x), 0.0, product)

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Not offered: its weights are given."""
        raise Unsupported("this toy is not trained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainable:
    """A logistic model fitted by a few Newton steps: deterministic, fast, and it takes every recipe.

    `monotone` drops weights of the wrong sign, `regularise` raises the ridge penalty.
    """

    inner: Linear
    ridge: float = 1.0
    access: Access = _OPEN | Access.RETRAIN
    name: str = "trainable toy"
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False

    @staticmethod
    def fitted(data: Data, ridge: float = 1.0) -> Trainable:
        """The model of these rows."""
        weights, bias = _newton(np.nan_to_num(np.asarray(data.x, dtype=float)), np.asarray(data.y), ridge)
        return Trainable(inner=Linear(weights=tuple(weights.tolist()), bias=bias), ridge=ridge)

    @property
    def digest(self) -> str:
        """Of the weights."""
        return self.inner.digest

    def scores(self, x: Array) -> Array:
        """Probabilities (n, 2)."""
        return self.inner.scores(x)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Exact."""
        return self.inner.gradient(x, cotangent)

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Fitted on `data`; equal data and recipe give an equal model."""
        if Access.RETRAIN not in self.access:
            raise Unsupported("this toy is not trained again")
        fresh = Trainable.fitted(data, self.ridge * (1.0 + 50.0 * recipe.regularise))
        signs = recipe.monotone or (0,) * len(fresh.inner.weights)
        kept = tuple(
            w if sign == 0 else sign * max(sign * w, 0.0) for w, sign in zip(fresh.inner.weights, signs, strict=True)
        )
        return replace(fresh, inner=replace(fresh.inner, weights=kept), ridge=self.ridge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Answers every row alike: nothing can be broken, copied or recognised.

    >>> Constant(share=0.75).scores(np.zeros((1, 2)))
    array([[0.25, 0.75]])
    """

    share: float = 0.9
    access: Access = _OPEN | Access.RETRAIN
    name: str = "constant toy"
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    digest: str = "constant"

    def scores(self, x: Array) -> Array:
        """The same probabilities (n, 2) for every row."""
        return np.tile([1.0 - self.share, self.share], (len(x), 1))

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Zero."""
        return self.scores(x), np.zeros(x.shape)

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Itself."""
        return self


@dataclass(slots=True, kw_only=True)
class Flickering:
    """Gives candidates another answer each time it is asked; `stochastic` says so, or hides it."""

    inner: Target
    size: float = 0.4
    stochastic: bool = True
    calls: int = field(default=0)
    access: Access = Access.LABELS | Access.SCORES
    name: str = "flickering toy"
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    digest: str = ""

    def scores(self, x: Array) -> Array:
        """The inner probabilities, moved by up to `size` and kept in [0, 1]."""
        self.calls += 1
        moved = Draws(0, "flickering").uniform(np.arange(len(x)), self.calls, (), -self.size, self.size)
        p = np.clip(self.inner.scores(x)[:, 1] + moved, 0.0, 1.0)
        return np.stack([1.0 - p, p], axis=1)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Not offered."""
        raise Unsupported("a flickering toy has no gradient")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Not offered."""
        raise Unsupported("a flickering toy is not trained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragile:
    """Crashes on a batch that holds a row for which `fails(x)` (n,) is true; a lone good row is answered."""

    inner: Target
    fails: Callable[[Array], Array]
    access: Access = Access.LABELS | Access.SCORES
    name: str = "fragile toy"
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    digest: str = ""

    def scores(self, x: Array) -> Array:
        """The inner scores, or a crash of the whole batch."""
        if np.any(self.fails(x)):
            raise RuntimeError("a row this model cannot read")
        return self.inner.scores(x)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Not offered."""
        raise Unsupported("a fragile toy has no gradient")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Not offered."""
        raise Unsupported("a fragile toy is not trained")


@dataclass(slots=True, kw_only=True)
class Counted:
    """Passes everything on and keeps the rows it was asked about, in order."""

    inner: Target
    asked: list[Array] = field(default_factory=list)

    @property
    def access(self) -> Access:
        """The inner target's."""
        return self.inner.access

    @property
    def name(self) -> str:
        """The inner target's."""
        return self.inner.name

    @property
    def kind(self) -> ScoreKind:
        """The inner target's."""
        return self.inner.kind

    @property
    def classes(self) -> int:
        """The inner target's."""
        return self.inner.classes

    @property
    def stochastic(self) -> bool:
        """The inner target's."""
        return self.inner.stochastic

    @property
    def digest(self) -> str:
        """The inner target's."""
        return self.inner.digest

    @property
    def rows(self) -> int:
        """Rows asked about so far."""
        return sum(len(part) for part in self.asked)

    def scores(self, x: Array) -> Array:
        """The inner scores."""
        self.asked.append(np.array(x))
        return self.inner.scores(x)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The inner gradient."""
        self.asked.append(np.array(x))
        return self.inner.gradient(x, cotangent)

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """The inner refit."""
        return self.inner.refit(data, recipe)


def _newton(x: Array, y: Array, ridge: float) -> tuple[Array, float]:
    """Ridge logistic regression on standardised columns, weights given back in the columns' own units."""
    centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    z = np.column_stack([np.ones(len(x)), (x - centre) / spread])
    penalty = ridge * np.eye(z.shape[1])
    penalty[0, 0] = 1e-6
    beta = np.zeros(z.shape[1])
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(z @ beta, -30.0, 30.0)))
        bend = (z * (p * (1.0 - p) + 1e-9)[:, None]).T @ z + penalty
        beta = beta + np.linalg.solve(bend, z.T @ (y - p) - penalty @ beta)
    weights = beta[1:] / spread
    return weights, float(beta[0] - weights @ centre)
