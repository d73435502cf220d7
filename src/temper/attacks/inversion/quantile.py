"""Membership by how far the model's answer lies above what is usual for such a row; no reference model is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.inversion._signals import gather, payload
from temper.attacks.inversion._statistics import logit
from temper.core.attack import Scene
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.advantage import Membership

Vector = np.ndarray[Any, Any]
_FEWEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """Learns from held-out rows what the model gives such a row when it was not trained on, and how much that spreads.

    The cheap look: seconds, no refit, so it also works on a model behind a URL. Rows are judged by regressions that did
    not see them. Finds about half of what reference models find. Misleads where it finds nothing: then ask
    `inversion.membership`.
    Source: Bertran et al., "Scalable membership inference attacks via quantile regression", 2023 (its Gaussian form).

    >>> Quantile(rounds=50).rounds
    50
    """

    needs: ClassVar[Access] = Access.SCORES
    rounds: int = 100

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Membership:
        """Scores of all training rows (members) and of the scene's own rows (others)."""
        signals = gather(scene, rng, 0)
        others = np.flatnonzero(~signals.member)
        if len(others) < 2 * _FEWEST:
            raise Unsupported(f"{len(others)} held-out rows teach nothing about usual answers; it takes {2 * _FEWEST}")
        x = np.asarray(signals.rows.x, dtype=float).reshape((len(signals.member), -1))
        table = np.column_stack([x, signals.rows.y])
        given = logit(signals.answers.own)
        fold = rng.generator().permutation(len(table)) % 2
        score = np.empty(len(table))
        for at in (0, 1):
            usual, spread = self._usual(table, given, others[fold[others] != at], rng.integer(at))
            asked = fold == at
            score[asked] = (given[asked] - usual[asked]) / spread[asked]
        return payload(signals, score)

    def _usual(self, table: Vector, given: Vector, rows: Vector, seed: int) -> tuple[Vector, Vector]:
        """Mean and standard deviation (n,) of the answers about rows that were not trained on."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        def fitted(wanted: Vector) -> Vector:
            model = HistGradientBoostingRegressor(
                max_iter=self.rounds, learning_rate=0.05, max_leaf_nodes=15, early_stopping=False, random_state=seed
            )
            return np.asarray(model.fit(table[rows], wanted).predict(table))

        mean = fitted(given[rows])
        gap = np.abs(given[rows] - mean[rows])
        return mean, np.maximum(fitted(gap), max(float(gap.mean()) / 10.0, 1e-6))


PLUGIN = Quantile
