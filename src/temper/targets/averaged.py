"""Several models as one: the average of what each says of the columns it sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.target import Access, Recipe, ScoreKind, Target, TreeTarget
from temper.core.trees import TreeEnsemble
from temper.kernels import trees
from temper.targets import _digest

_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """A model and the columns it sees; the others are given to it as `fill`."""

    target: Target
    columns: tuple[int, ...]
    fill: tuple[float, ...]

    def seen(self, x: Array) -> Array:
        """The rows as the model gets them."""
        rows = np.array(np.broadcast_to(np.asarray(self.fill), x.shape))
        rows[:, self.columns] = np.asarray(x)[:, self.columns]
        return rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Averaged:
    """Logits (log probabilities) and margins are averaged, by `weights` where given; what all members give can be
    reached.

    Trees, where every member has one sigmoid output or margins, are one ensemble that scores the same.
    """

    members: tuple[Member, ...]
    weights: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "averaged"

    @property
    def kind(self) -> ScoreKind:
        """The members'."""
        return self.members[0].target.kind

    @property
    def classes(self) -> int:
        """The members'."""
        return self.members[0].target.classes

    @property
    def stochastic(self) -> bool:
        """Whether one of them is."""
        return any(member.target.stochastic for member in self.members)

    @cached_property
    def access(self) -> Access:
        """What every member gives; the trees where they add up."""
        common = self.members[0].target.access
        for member in self.members[1:]:
            common &= member.target.access
        trees = Access.TREES in common and self._joined is not None
        return common if trees else common & ~Access.TREES

    @cached_property
    def digest(self) -> str:
        """Of the members, or "" where one has none."""
        parts = [member.target.digest for member in self.members]
        sees = [repr((member.columns, member.fill)).encode() for member in self.members]
        sees += [repr(self.weights).encode()] if self.weights else []
        return _digest.of_bytes(*(part.encode() for part in parts), *sees) if all(parts) else ""

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1); of the joined trees if there are any: a probability in single precision
        near certainty has lost its logit.
        """
        if self._joined is not None:
            return trees.scores(self._joined, x)
        return self._out(self._mean([_in(m.target.scores(m.seen(x)), self.kind) for m in self.members]))

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The chain rule through the average: every member is asked once for scores and once for its gradient."""
        scores = self.scores(x)
        pull = np.asarray(cotangent(scores))
        if self.kind is ScoreKind.PROBABILITIES:
            pull = scores * (pull - (pull * scores).sum(axis=1, keepdims=True))
        total = np.zeros(x.shape)
        for member, share in zip(self.members, self._shares, strict=True):
            _, slope = member.target.gradient(member.seen(x), self._pull(pull * share))
            total[:, member.columns] += np.asarray(slope)[:, member.columns]
        return scores, total

    def trees(self) -> TreeEnsemble:
        """All members' trees, each with its share."""
        if self._joined is None:
            raise Unsupported("the members' trees do not add up to the average's scores")
        return self._joined

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Every member fitted again on its columns."""
        members = tuple(
            replace(m, target=m.target.refit(Data(x=m.seen(data.x), y=data.y, ids=data.ids), recipe))
            for m in self.members
        )
        return replace(self, members=members)

    def _pull(self, pull: Array) -> Callable[[Array], Array]:
        """What the average's pull, times the member's share, is for its own scores."""
        if self.kind is ScoreKind.PROBABILITIES:
            return lambda own: pull / np.maximum(np.asarray(own, dtype=float), _TINY)
        return lambda own: pull

    def _mean(self, parts: list[Array]) -> Array:
        total: Array = np.add.reduce([part * share for part, share in zip(parts, self._shares, strict=True)])
        return total

    @property
    def _shares(self) -> Array:
        weights = np.array(self.weights or np.ones(len(self.members)))
        return np.asarray(weights / weights.sum())

    def _out(self, mean: Array) -> Array:
        if self.kind is not ScoreKind.PROBABILITIES:
            return mean
        raised = np.exp(mean - mean.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    @cached_property
    def _joined(self) -> TreeEnsemble | None:
        """The members as one ensemble, or None where they are not sums under one link."""
        links = {ScoreKind.PROBABILITIES: "sigmoid", ScoreKind.MARGIN: "identity", ScoreKind.LOGITS: "identity"}
        parts = []
        for member in self.members:
            if Access.TREES not in member.target.access or not isinstance(member.target, TreeTarget):
                return None
            parts.append(member.target.trees())
        fits = all(part.link == links[self.kind] and part.outputs == parts[0].outputs for part in parts)
        return _together(parts, self._shares) if fits and all(map(_sees_own, self.members, parts)) else None


def _in(scores: Array, kind: ScoreKind) -> Array:
    """What is averaged: logarithms of probabilities, else the scores themselves."""
    values = np.asarray(scores, dtype=float)
    return np.log(np.maximum(values, _TINY)) if kind is ScoreKind.PROBABILITIES else values


def _sees_own(member: Member, ensemble: TreeEnsemble) -> bool:
    """A column that was constant in training is asked by no tree; then the fill changes nothing."""
    asked = np.unique(ensemble.feature[ensemble.feature >= 0])
    return set(asked.tolist()) <= set(member.columns)


def _together(parts: list[TreeEnsemble], shares: Array) -> TreeEnsemble:
    starts = np.cumsum([0, *(len(part.feature) for part in parts)])[:-1]

    def stacked(name: str, shifted: bool = False) -> Any:
        arrays = [getattr(part, name) + (start if shifted else 0) for part, start in zip(parts, starts, strict=True)]
        return np.concatenate(arrays).astype(getattr(parts[0], name).dtype)

    return TreeEnsemble(
        feature=stacked("feature"),
        threshold=stacked("threshold"),
        left=stacked("left", True),
        right=stacked("right", True),
        missing_left=stacked("missing_left"),
        value=np.concatenate([part.value * share for part, share in zip(parts, shares, strict=True)]),
        root=stacked("root", True),
        base=np.add.reduce([part.base * share for part, share in zip(parts, shares, strict=True)]),
        features=parts[0].features,
        link=parts[0].link,
    )
