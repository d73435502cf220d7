"""Was this row in the training data? Likelihood ratios against a few reference models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.inversion._pool import own_class, pool
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.judges.advantage import Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipInference:
    """Divides what the model gives a row's own class by what reference models give it; members stand out.

    References are fitted on random complementary halves of training and held-out rows, with the model's own settings:
    the auditor's view, stronger than an outsider's. Ranking rows by the ratio is RMIA with gamma 1. Misleads when
    training and held-out rows differ by more than membership (later dates, other filters): the judge checks that.
    Source: Zarifzadeh, Liu & Shokri, "Low-cost high-power membership inference attacks", 2024.

    >>> MembershipInference(references=2).references
    2
    """

    needs: ClassVar[Access] = Access.SCORES | Access.RETRAIN
    references: int = 4

    def __post_init__(self) -> None:
        if self.references < 2 or self.references % 2:
            raise TemperError(
                f"{self.references} reference models were asked for, expected an even number from 2",
                fix="they come in pairs fitted on complementary halves; use 4",
            )

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Membership:
        """Scores of all training rows (members) and of the scene's own rows (others)."""
        if scene.train is None or scene.target is None or scene.fit is None:
            raise TemperError("membership inference needs the target, its training rows and a way to refit")
        rows, member, duplicates = pool(scene.train, Data(x=scene.x, y=scene.y, ids=scene.ids))
        references, inside = self._references(scene, rows, rng)
        mine = own_class(scene.target.scores(rows.x), rows.y, scene.kind)
        return Membership(
            x=rows.x,
            y=np.asarray(rows.y),
            member=member,
            score=mine / np.maximum(references.mean(0), 1e-12),
            loss=mine,
            references=references,
            inside=inside,
            duplicates=duplicates,
        )

    def _references(self, scene: Scene, rows: Data, rng: Draws) -> tuple[Any, Any]:
        """Own-class probabilities (k, n) of the reference models and which rows each was fitted on."""
        given, inside = [], []
        for at in range(self.references):
            half = _half(len(rows), rng.generator(at // 2), complement=at % 2 == 1)
            model = self._fit(scene, rows.take(np.flatnonzero(half)), rng.integer(1_000 + at))
            given.append(own_class(model.scores(rows.x), rows.y, scene.kind))
            inside.append(half)
            scene.progress((at + 1) / (self.references + 1))
        return np.stack(given), np.stack(inside)

    def _fit(self, scene: Scene, subset: Data, seed: int) -> Target:
        if scene.fit is None:
            raise TemperError("membership inference needs a way to refit")
        return scene.fit([subset], Recipe(seed=seed))[0]


def _half(n: int, rng: np.random.Generator, *, complement: bool) -> np.ndarray[Any, Any]:
    half = np.zeros(n, dtype=bool)
    half[rng.permutation(n)[: n // 2]] = True
    return ~half if complement else half


PLUGIN = MembershipInference
