"""A fitted scikit-learn pipeline that reads texts as a target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Schema
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.targets import _digest, _estimator
from temper.targets._score import one_hot, shaped
from temper.targets.sklearn import Sklearn, open_sklearn


@dataclass(frozen=True, kw_only=True, eq=False)
class TextPipeline:
    """A pipeline that begins with a vectorizer: it takes texts (n,) where other targets take a matrix.

    `known` is the pipeline as scikit-learn's adapter opened it: its scores, their kind and its classes.
    """

    known: Sklearn

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "sklearn"

    @property
    def access(self) -> Access:
        """Labels and refits always, scores where the pipeline has any."""
        return self.known.access

    @property
    def kind(self) -> ScoreKind:
        """What the scores are."""
        return self.known.kind

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.known.classes

    @property
    def stochastic(self) -> bool:
        """Whether the user declared it so."""
        return self.known.stochastic

    @property
    def model(self) -> Any:
        """The pipeline itself."""
        return self.known.model

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the pipeline's content."""
        return _digest.of_object(self.model)

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1) of texts (n,)."""
        raw = getattr(self.model, self.known.method)(_texts(x))
        if self.known.method == "predict" and self.kind is not ScoreKind.VALUE:
            return one_hot(np.searchsorted(self.model.classes_, raw), self.classes)
        return shaped(raw, self.kind, self.classes, len(x), type(self.model).__name__)

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Texts have no gradients."""
        raise Unsupported("a text has no gradient", fix="use an attack that needs scores, such as evasion.word_bug")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """The same pipeline with its parameters, single threaded and seeded, fitted on `data`."""
        fresh = _estimator.fresh(self.model, recipe, 0)
        fresh.fit(_texts(data.x), _estimator.truth(data, self.kind, self.classes, type(self.model).__name__))
        return replace(self, known=replace(self.known, model=fresh))


def reads_texts(model: Any) -> bool:
    """Whether the first step of an estimator turns texts into numbers."""
    if hasattr(model, "best_estimator_"):
        return reads_texts(model.best_estimator_)
    steps = getattr(model, "steps", None) or getattr(model, "transformer_list", None)
    if steps:
        return reads_texts(steps[0][1])
    return type(model).__name__.endswith("Vectorizer") and hasattr(model, "analyzer")


def open_text(
    model: Any, schema: Schema | None, kind: ScoreKind | None, classes: int | None, stochastic: bool
) -> TextPipeline:
    """The adapter of a fitted text pipeline; a `ContractError` says what is missing."""
    return TextPipeline(known=open_sklearn(model, None, kind, classes, stochastic))


def _texts(x: Array) -> list[str]:
    if getattr(getattr(x, "dtype", None), "kind", "") not in "OUT":
        raise ContractError("this pipeline reads texts and was given numbers", fix="give a list of str")
    texts: list[str] = x.tolist()
    return texts
