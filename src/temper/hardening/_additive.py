"""An additive model of a table as trees: one per column, each a step function of that column alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.errors import Unsupported
from temper.core.target import ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.hardening._refit import trainable

Vector = np.ndarray[Any, Any]
_LINKS = {ScoreKind.PROBABILITIES: "sigmoid", ScoreKind.MARGIN: "identity"}
_LINKS_OF_MANY = {ScoreKind.PROBABILITIES: "softmax", ScoreKind.LOGITS: "identity"}


def replaceable(target: Target, defence: str, *, many: bool = False) -> None:
    """Raise `Unsupported` where additive scores of class 1, or of every class with `many`, cannot take the target's
    place.
    """
    trainable(target, defence)
    if target.kind is ScoreKind.VALUE:
        raise Unsupported(
            f"{defence} fits classes, and this target predicts a value: no attack here measures membership on values, "
            "so nothing would show what it is good for",
            fix="use regularise, which fits the model's own kind",
        )
    if target.kind not in (_LINKS if target.classes == 2 else _LINKS_OF_MANY) or (target.classes > 2 and not many):
        raise Unsupported(
            f"{defence} fits two classes, and this target has {target.classes} of {target.kind.value}",
            fix="use regularise, which fits the model's own kind",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """What one column adds: `values[k]` from `edges[k - 1]` up to, not including, `edges[k]`, and `missing`."""

    edges: Vector
    values: Vector
    missing: float


def additive(columns: Sequence[Steps], intercept: float, kind: ScoreKind) -> TreeEnsemble:
    """The sum of the columns' steps as a margin, or as the probability of class 1.

    >>> one = Steps(edges=np.array([2.0]), values=np.array([-1.0, 1.0]), missing=0.0)
    >>> additive([one], 0.5, ScoreKind.MARGIN).trees
    1
    """
    growth = _Growth()
    root = [growth.column(at, steps) for at, steps in enumerate(columns)]
    return TreeEnsemble(
        feature=np.array(growth.feature, dtype=np.int32),
        threshold=np.array(growth.threshold, dtype=np.float64),
        left=np.array(growth.left, dtype=np.int32),
        right=np.array(growth.right, dtype=np.int32),
        missing_left=np.array(growth.missing_left, dtype=np.bool_),
        value=np.array(growth.value, dtype=np.float64)[:, None],
        root=np.array(root, dtype=np.int32),
        base=np.array([intercept], dtype=np.float64),
        features=len(columns),
        link=_LINKS[kind],
    )


def one_per_class(scores: Sequence[TreeEnsemble], kind: ScoreKind) -> TreeEnsemble:
    """Log odds of each class against the rest as the logits of all classes, or as their probabilities.

    >>> flat = Steps(edges=np.zeros(0), values=np.ones(1), missing=0.0)
    >>> one_per_class(3 * [additive([flat], 0.0, ScoreKind.MARGIN)], ScoreKind.LOGITS).value.shape
    (9, 3)
    """
    starts = np.cumsum([0, *(len(one.feature) for one in scores)])

    def joined(name: str) -> Vector:
        return np.concatenate([getattr(one, name) for one in scores])

    def moved(name: str) -> Vector:
        pairs = zip(scores, starts, strict=False)
        places = [np.where(getattr(one, name) < 0, -1, getattr(one, name) + start) for one, start in pairs]
        return np.concatenate(places).astype(np.int32)

    return TreeEnsemble(
        feature=joined("feature"),
        threshold=joined("threshold"),
        left=moved("left"),
        right=moved("right"),
        missing_left=joined("missing_left"),
        value=np.concatenate([one.value * row for one, row in zip(scores, np.eye(len(scores)), strict=True)]),
        root=moved("root"),
        base=joined("base"),
        features=scores[0].features,
        link=_LINKS_OF_MANY[kind],
    )


@dataclass(slots=True, kw_only=True, eq=False)
class _Growth:
    """Nodes as they come, parents before their children."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    missing_left: list[bool] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def column(self, at: int, steps: Steps) -> int:
        """The root of a balanced tree over the steps, behind a node that asks whether the value is missing."""
        turns = np.flatnonzero(np.diff(steps.values))
        edges, values = steps.edges[turns], steps.values[np.append(turns, len(steps.values) - 1)]
        root = self._node(feature=at, threshold=-np.inf, missing_left=True)
        self.left[root] = self._node(value=steps.missing)
        self.right[root] = self._between(at, edges, values)
        return root

    def _between(self, at: int, edges: Vector, values: Vector) -> int:
        if not len(edges):
            return self._node(value=float(values[0]))
        middle = len(edges) // 2
        node = self._node(feature=at, threshold=float(edges[middle]))
        self.left[node] = self._between(at, edges[:middle], values[: middle + 1])
        self.right[node] = self._between(at, edges[middle + 1 :], values[middle + 1 :])
        return node

    def _node(self, feature: int = -1, threshold: float = 0.0, missing_left: bool = False, value: float = 0.0) -> int:
        self.feature.append(feature)
        self.threshold.append(threshold)
        self.missing_left.append(missing_left)
        self.value.append(value)
        self.left.append(-1)
        self.right.append(-1)
        return len(self.feature) - 1
