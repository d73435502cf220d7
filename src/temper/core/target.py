"""A model as somebody can reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import Protocol, runtime_checkable

from temper.core.data import Array, Data
from temper.core.trees import TreeEnsemble


class Access(Flag):
    """What can be reached of a target; the attacker's knowledge in the threat model and an attack's `needs`."""

    NONE = 0
    LABELS = auto()
    SCORES = auto()
    GRADIENTS = auto()
    TREES = auto()
    RETRAIN = auto()
    CHAT = auto()
    TOOLS = auto()

    def words(self) -> str:
        """The set flags as plain words."""
        return ", ".join(flag.name.lower() for flag in Access if flag in self and flag.name) or "nothing"


class ScoreKind(Enum):
    """What the numbers a target returns are; declared, and checked by the contract.

    PROBABILITIES (n, k), k >= 2, rows sum to one; LOGITS (n, k); MARGIN (n, 1), positive for class 1; VALUE (n, 1).
    """

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    MARGIN = "margin"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to fit again, in words every framework shares; an adapter refuses what it cannot do (`Unsupported`).

    `monotone`: per column -1, 0, +1. `regularise`: 0 = as trained, 1 = strongly (shallower, slower, subsampled).
    `changes`: the framework's own parameter names, for experts.
    """

    monotone: tuple[int, ...] = ()
    regularise: float = 0.0
    seed: int = 0
    changes: tuple[tuple[str, object], ...] = ()


@runtime_checkable
class Target(Protocol):
    """One adapter per framework implements this; everything else talks to it through the oracle or a check."""

    @property
    def name(self) -> str:
        """The adapter's name, such as "xgboost"."""

    @property
    def access(self) -> Access:
        """What can be reached."""

    @property
    def kind(self) -> ScoreKind:
        """What the scores are."""

    @property
    def classes(self) -> int:
        """Number of classes; 2 for MARGIN, 1 for VALUE."""

    @property
    def stochastic(self) -> bool:
        """Whether the same row may get another answer (declared by the user)."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model's content, or "" when it has none (a callable, a URL)."""

    def scores(self, x: Array) -> Array:
        """Scores of a batch, shaped (n, classes) or (n, 1)."""

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Scores and the vector-Jacobian product with `cotangent(scores)`: one forward, one backward."""

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """A fresh model of the same family and settings, fitted on `data`."""


@runtime_checkable
class TreeTarget(Protocol):
    """What a target with `Access.TREES` offers besides."""

    def trees(self) -> TreeEnsemble:
        """The model as arrays over the columns of the Schema's matrix; its scores are the target's own."""


@runtime_checkable
class NativeTarget(Protocol):
    """A target that answers arrays of its own framework without leaving its device."""

    def native(self, x: Array) -> Array:
        """`x` as the model takes it: a tensor of its precision on its device."""
