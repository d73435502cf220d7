"""Session figures that depend on each other: a Student copula with its own margins for each way of acting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.demos.held_out.columns import LEAST_PACE, LOGIN_LIMIT, STEPS

Array = np.ndarray[Any, Any]

_DEGREES = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """A way of acting. `login`, `rhythm`: median and log spread; `steps`: shape and scale of a gamma.

    `ties`: correlations (amount-login, amount-steps, login-steps, login-rhythm) of the copula; other pairs are free.
    """

    login: tuple[float, float]
    steps: tuple[float, float]
    rhythm: tuple[float, float]
    ties: tuple[float, float, float, float]


OWNER = Manner(login=(85.0, 0.75), steps=(4.0, 3.2), rhythm=(1.0, 0.22), ties=(0.25, 0.2, 0.65, -0.3))
INTRUDER = Manner(login=(50.0, 0.7), steps=(4.0, 2.4), rhythm=(1.22, 0.3), ties=(-0.2, -0.1, 0.4, 0.2))
COACHED = Manner(login=(240.0, 0.75), steps=(5.0, 4.4), rhythm=(0.86, 0.25), ties=(0.4, 0.3, 0.5, -0.5))


def act(manner: Manner, count: int, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """`count` sessions: uniform rank of the amount, seconds since login, steps, rhythm against the owner's own."""
    from scipy.special import gammaincinv, ndtri

    ranks = copula(correlation(manner.ties), count, rng)
    login = manner.login[0] * np.exp(manner.login[1] * ndtri(ranks[:, 1]))
    steps = np.clip(np.round(gammaincinv(manner.steps[0], ranks[:, 2]) * manner.steps[1]), *STEPS)
    rhythm = manner.rhythm[0] * np.exp(manner.rhythm[1] * ndtri(ranks[:, 3]))
    return (
        ranks[:, 0],
        np.round(np.clip(login, np.maximum(2.0, LEAST_PACE * steps), LOGIN_LIMIT), 1),
        steps,
        np.round(rhythm, 3),
    )


def correlation(ties: tuple[float, float, float, float]) -> Array:
    """The (4, 4) correlation of amount, login, steps and rhythm."""
    matrix = np.eye(4)
    for (i, j), value in zip(((0, 1), (0, 2), (1, 2), (1, 3)), ties, strict=True):
        matrix[i, j] = matrix[j, i] = value
    return matrix


def copula(matrix: Array, count: int, rng: np.random.Generator) -> Array:
    """(count, k) uniform numbers in (0, 1) tied by a Student copula: extremes come together, unlike a normal one."""
    from scipy.special import stdtr

    normal = rng.normal(size=(count, len(matrix))) @ np.linalg.cholesky(matrix).T
    heavy = normal / np.sqrt(rng.chisquare(_DEGREES, (count, 1)) / _DEGREES)
    ranks: Array = np.clip(stdtr(_DEGREES, heavy), 1e-9, 1.0 - 1e-9)
    return ranks
