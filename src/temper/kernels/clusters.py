"""Clusters of the rows of a class, few and many."""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = np.ndarray[Any, Any]

COUNTS = (2, 4, 8)
"""A trigger's rows are one of two clusters where they are many, one of several where they are few."""


def clusters(rows: Rows, seed: int = 0) -> Rows:
    """Masks (k, n) of the clusters of `rows` (n, d): k-means with each of `COUNTS`.

    Source: Chen et al., "Detecting backdoor attacks on deep neural networks by activation clustering", 2018.

    >>> clusters(np.repeat(np.arange(8.0), 3)[:, None]).sum(axis=1)[-8:]
    array([3, 3, 3, 3, 3, 3, 3, 3])
    """
    from sklearn.cluster import KMeans

    found = []
    for count in COUNTS:
        of = KMeans(count, n_init=3, random_state=seed).fit_predict(rows)
        found.append(of == np.arange(count)[:, None])
    return np.concatenate(found)
