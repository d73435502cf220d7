"""An attack proposes; it never reports its own success."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Protocol

import numpy as np

from temper.core.budget import Budget
from temper.core.data import Array, Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble


class RowVerdict(Enum):
    """What is known of one row: BROKEN, HELD (the strategy finished), UNTRIED (cut off or skipped), ERROR."""

    BROKEN = "broken"
    HELD = "held"
    UNTRIED = "untried"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What a strategy, a check or a judge is given to work with; fields a room does not use stay None.

    `x`, `y`, `ids`: the rows under attack (or the held-out rows of a check). `threshold`: operating threshold on
    the score of class 1 (binary), else None. `goal`: "misclassify" or a class number to reach. `tolerance`: shift
    that counts for VALUE targets. `reference`: rows the attacker holds, `train`: what the model was fitted on.
    `accepted`: the training rows of an earlier version that somebody has accepted.
    `fit(subsets, recipe)`: fitted models, one per subset. `target`: the model, for checks that have no adversary.
    `sensitive`: columns that name a group. `time`: when each row came, where the system says so.
    """

    x: Array
    y: Array
    ids: Array
    schema: Schema
    budget: Budget = field(default_factory=Budget)
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    threshold: float | None = None
    mode: str = "first"
    goal: str | int = "misclassify"
    tolerance: float = 0.0
    reference: Data | None = None
    train: Data | None = None
    accepted: Data | None = None
    target: Target | None = None
    fit: Callable[[Sequence[Data], Recipe], list[Target]] | None = None
    sensitive: tuple[str, ...] = ()
    time: Array | None = None
    progress: Callable[[float], None] = lambda share: None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What a judge sees: clean scores and candidate scores of the same rows (or a payload with its evidence)."""

    scores: Array
    y: Array
    clean: Array | None = None
    payload: Any = None


class Judge(Protocol):
    """Decides success; `charged` says whether judging costs the attacker queries."""

    charged: ClassVar[bool]

    def judge(self, scene: Scene, outcome: Outcome) -> Any:
        """A boolean per row (evasion) or Measurements (payloads)."""


class OracleLike(Protocol):
    """The oracle as attacks see it (the implementation is `temper.targets.oracle.Oracle`)."""

    @property
    def active(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Positions of rows still worth working on."""

    @property
    def left(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Queries each row may still ask."""

    @property
    def clean(self) -> Array:
        """Scores of the clean rows, not charged."""

    @property
    def best(self) -> tuple[Array, np.ndarray[Any, Any]]:
        """The nearest counted point of each row and its distance (infinite where none)."""

    @property
    def broken(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Mask of the rows that have a counted point."""

    def scores(self, x: Array, rows: Any) -> Array:
        """Scores of candidates; NaN where a row has no budget left."""

    def labels(self, x: Array, rows: Any) -> Array:
        """Decisions of candidates, of a regression whether its value has moved too far; -1 where no budget is left."""

    def gradient(self, x: Array, rows: Any, cotangent: Callable[[Array, Any], Array]) -> tuple[Array, Array]:
        """Scores and d<cotangent(scores, rows), scores>/dx."""

    def trees(self) -> TreeEnsemble:
        """The model's trees, to be searched offline; what is found is submitted through `propose`."""

    def propose(self, x: Array, rows: Any) -> None:
        """Submit candidates found by offline search; one query per row."""

    def note(self, name: str, rows: Any, values: Any) -> None:
        """Say something about the work on these rows, one number each, for the checks that follow."""

    def done(self, rows: Any) -> None:
        """The strategy has finished with these rows."""


class Attack(Protocol):
    """A strategy: a frozen keyword-only dataclass in one file, ending in `PLUGIN = ...`.

    An evasion that works at a fixed radius says `mode: ClassVar[str] = "first"`: a broken row is finished. Without it
    the engine asks for the nearest success ("nearest"): a row stays open until its budget ends or the attack is `done`.
    """

    needs: ClassVar[Access]

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> Any:
        """Propose candidates to the oracle (poisoning, extraction and inversion return their payload)."""


class Stressor(Protocol):
    """A non-adversarial condition of rising severity 1-5."""

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """Stressed copy of `x`, same shape."""


class Check(Protocol):
    """A property measured without an adversary.

    A check that says `attacked: ClassVar[bool] = True` is given the rows under attack with the actor's budget, so that
    what it proves of them can be held against the attacks; without it, the held-out rows.
    """

    def measure(self, scene: Scene) -> Any:
        """Measurements, `Certified` when it proves something row by row, `Accused` when it speaks against rows."""
