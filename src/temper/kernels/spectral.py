"""Spectral signatures: the far ends of the directions in which the rows of a class spread most."""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = np.ndarray[Any, Any]

FEW, MANY = (0.025, 0.05, 0.075, 0.1, 0.15), (0.2, 0.3, 0.4)
"""How much of the rows an end takes: a backdoor's part of a class is not known beforehand."""

_KEPT, _ROUNDS = 0.75, 8


def signatures(rows: Rows, directions: int = 3) -> Rows:
    """Masks (k, n) of the regions of `rows` (n, d) in which those with a trigger may lie: the far ends.

    Few rows by a robust covariance; many by the spread of all, as a robust one takes a quarter of a class for nature.

    >>> signatures(np.random.default_rng(0).normal(size=(200, 4))).shape
    (48, 200)
    """
    return np.concatenate([ends(rounded(rows), FEW, directions), ends(rows, MANY, directions)])


def ends(rows: Rows, shares: tuple[float, ...], directions: int) -> Rows:
    """Masks (k, n) of both ends of the top `directions` of `rows` (n, d), at each of `shares`.

    Source: Tran, Li & Madry, "Spectral signatures in backdoor attacks", 2018: rows with a trigger lie far out along the
    top singular direction of their class.

    >>> ends(np.array([[0.0], [0.1], [0.2], [9.0]]), (0.25,), 1).astype(int)
    array([[0, 0, 0, 1],
           [1, 0, 0, 0]])
    """
    centred = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :directions]
    along = centred @ (axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]))
    signed = np.concatenate([along, -along], axis=1).T
    cuts = np.quantile(signed, 1.0 - np.array(shares), axis=1, method="higher")
    return np.concatenate([signed >= cut[:, None] for cut in cuts])


def rounded(rows: Rows) -> Rows:
    """`rows` (n, d) in units of a robust covariance: that of the three quarters of them that it finds nearest.

    What stays far out spreads otherwise than most rows do. Source: Hayase et al., "SPECTRE: defending against backdoor
    attacks using robust statistics", 2021; by concentration steps, Rousseeuw & Van Driessen, 1999.

    >>> spread = rounded(np.random.default_rng(0).normal(size=(999, 2)) * [1.0, 5.0]).std(axis=0)
    >>> bool(0.8 < spread[0] / spread[1] < 1.25)
    True
    """
    from sklearn.covariance import LedoitWolf

    kept = np.ones(len(rows), dtype=bool)
    for _ in range(_ROUNDS):
        fitted = LedoitWolf().fit(rows[kept])
        distance = fitted.mahalanobis(rows)
        kept = distance <= np.quantile(distance, _KEPT)
    return np.asarray((rows - fitted.location_) @ np.linalg.cholesky(fitted.precision_))
