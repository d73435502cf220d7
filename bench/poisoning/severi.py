"""Severi et al.'s mitigation of clean-label backdoors, written from its description: a peer for tables.

Source: Severi, Boboila, Holodnak, Kratkiewicz, Izmailov, De Lucia & Oprea, "Model-agnostic clean-label backdoor
mitigation in cybersecurity environments", 2024 (arXiv 2407.08159). Its four steps: the columns that matter most to a
tree of the entropy criterion; density clusters of the target class in them; a set of clean rows that starts as the
largest cluster and all other classes, and takes in, a window at a time, the clusters to which a model fitted on it
gives the least loss, until four fifths are in; what never came in is suspicious.

Filled in where that leaves room: rows that belong to no cluster (most are clean) are suspected last, it is told the
class that the attacker wants, and whoever compares with it takes the best number of columns for each kind of trigger.
The paper takes OPTICS; HDBSCAN is of the same family, and ends on tables of this size. Tried, and no better: ranks in
place of standardised columns, and the rows of no cluster as one more cluster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Rows = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Severi:
    """`columns` kept, the `smallest` cluster in rows of the class, the share of clusters a `window` takes in, and the
    share `stop` at which what is left is suspicious.
    """

    columns: int = 4
    smallest: float = 0.005
    window: float = 0.05
    stop: float = 0.8

    def scores(self, x: Rows, y: Rows, label: int = 0) -> tuple[Rows, Rows]:
        """How suspicious each row is (the later its cluster came in, the more), and which rows are accused."""
        x = np.nan_to_num(np.asarray(x, dtype=float))
        own = np.flatnonzero(y == label)
        of = self._clusters(x, y, own)
        order = self._order(x, y, own, of)
        rank = {cluster: at for at, cluster in enumerate(order)}
        score, accused = np.full(len(x), -2.0), np.zeros(len(x), dtype=bool)
        score[own] = [rank.get(cluster, -1.0) for cluster in of]
        late = {cluster for cluster, at in rank.items() if at >= math.ceil(self.stop * len(order))}
        accused[own] = [cluster in late for cluster in of]
        return score, accused

    def _clusters(self, x: Rows, y: Rows, own: Rows) -> Rows:
        from sklearn.cluster import HDBSCAN
        from sklearn.tree import DecisionTreeClassifier

        tree = DecisionTreeClassifier(criterion="entropy", max_depth=12, random_state=0).fit(x, y)
        kept = np.argsort(-tree.feature_importances_, kind="stable")[: self.columns]
        spread = (x[:, kept] - x[:, kept].mean(axis=0)) / np.maximum(x[:, kept].std(axis=0), 1e-12)
        fewest = max(5, round(self.smallest * len(own)))
        found = HDBSCAN(min_cluster_size=fewest, min_samples=min(10, fewest), copy=True).fit_predict(spread[own])
        return np.asarray(found)

    def _order(self, x: Rows, y: Rows, own: Rows, of: Rows) -> list[int]:
        """Clusters as they came in, the largest first; those that never did last, the dearest at the end."""
        names, sizes = np.unique(of[of >= 0], return_counts=True)
        if not len(names):
            return []
        order, left = [int(names[sizes.argmax()])], [int(name) for name in names if name != names[sizes.argmax()]]
        step = max(1, math.ceil(self.window * len(names)))
        while left:
            losses = dict(self._losses(x, y, own, of, order, left))
            left.sort(key=lambda cluster: losses[cluster])
            if len(order) >= self.stop * len(names):
                break
            order, left = [*order, *left[:step]], left[step:]
        return [*order, *left]

    def _losses(
        self, x: Rows, y: Rows, own: Rows, of: Rows, clean: list[int], left: list[int]
    ) -> Iterator[tuple[int, float]]:
        from sklearn.ensemble import HistGradientBoostingClassifier

        label = y[own[0]]
        taken = np.concatenate([own[np.isin(of, clean)], np.flatnonzero(y != label)])
        model = HistGradientBoostingClassifier(max_iter=30, learning_rate=0.2, random_state=0).fit(x[taken], y[taken])
        column = int(np.flatnonzero(model.classes_ == label)[0])
        for cluster in left:
            rows = own[of == cluster]
            yield cluster, float(-np.log(np.clip(model.predict_proba(x[rows])[:, column], 1e-7, 1.0)).mean())
