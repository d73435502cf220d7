"""Compile what the searches through trees need, part by part, before somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from temper.core.schema import Column, Mutability, Schema
from temper.core.target import ScoreKind
from temper.core.trees import TreeEnsemble
from temper.kernels.trees import margins, scores

WIDTH = 2


def parts() -> tuple[tuple[str, Callable[[], None]], ...]:
    """The kernels by what they are for; each call compiles, or loads what was compiled before."""
    return ("reading trees", _read), ("attacks on trees", _search), ("proofs about trees", _prove)


def _ensemble() -> TreeEnsemble:
    """Two trees with two splits each, as a sigmoid."""
    return TreeEnsemble(
        feature=np.array([0, 1, -1, -1, -1, 1, 0, -1, -1, -1], np.int32),
        threshold=np.array([0.6, 0.4, 0, 0, 0, 0.5, 0.3, 0, 0, 0]),
        left=np.array([1, 2, -1, -1, -1, 6, 7, -1, -1, -1], np.int32),
        right=np.array([4, 3, -1, -1, -1, 9, 8, -1, -1, -1], np.int32),
        missing_left=np.zeros(10, dtype=bool),
        value=np.array([0.0, 0.0, -1.0, -0.5, 1.0, 0.0, 0.0, -1.0, 0.5, 1.0])[:, None],
        root=np.array([0, 5], np.int32),
        base=np.zeros(1),
        features=WIDTH,
        link="sigmoid",
    )


def _read() -> None:
    x = np.full((64, WIDTH), 0.1)
    for rows in (x, x[:2]):
        scores(_ensemble(), rows)


def _search() -> None:
    from temper.kernels.tree_search import Ground, ready, search, settle

    wood, n = ready(margins(_ensemble(), ScoreKind.PROBABILITIES, 0)[0]), 2
    ground = Ground(
        x0=np.full((n, WIDTH), 0.1), low=np.zeros((n, WIDTH)), high=np.ones((n, WIDTH)), kind=np.zeros(WIDTH, np.int64),
        missing=np.zeros((n, WIDTH), np.int64), mobile=np.ones(WIDTH, dtype=bool), scale=np.ones(WIDTH),
        weight=np.ones((2, WIDTH)), power=(1, 1), limit=np.inf, columns=np.arange(WIDTH), groups=(),
        seed=np.zeros(n, np.uint64), shift=np.zeros(n),
    )  # fmt: skip
    for how in ("fixed", "cheapest", "nearest"):
        search(wood, ground, how)
    settle(wood, ground, ground.x0, 1.0, np.ones(n), 1e-5, np.full(n, np.inf))


def _prove() -> None:
    from temper.kernels.tree_reach import reach
    from temper.kernels.tree_verify import Verifier, verify

    columns = (Column(name="a", low=0, high=1, attacker=Mutability.FREE), Column(name="b", low=0, high=1))
    schema, x0 = Schema(columns=columns), np.full((1, WIDTH), 0.1)
    verifier: Any = Verifier.of(margins(_ensemble(), ScoreKind.PROBABILITIES, 0), schema)
    for norm in ("linf", "l2"):
        verify(verifier, reach(schema, x0, norm, 0.7), 0)
