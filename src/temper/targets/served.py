"""The model as it is served: one score per row, by the fastest way that was seen to say what the target says."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import ContractError
from temper.core.target import Access, ScoreKind, Target
from temper.core.trees import TreeEnsemble

Array = np.ndarray[Any, Any]
Score = Callable[[Array], Array]
_ROWS, _CLOSE = 1_000, 1e-6
"""Rows on which a way is held against the target, and how far their scores may lie apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """`score` takes the Schema's matrix in float64 and gives (n,): of two classes the second one's score, of a
    regression the value.

    `engine` says who computes it and `difference` how far it lay from the target at most on `checked` rows. What
    answers within microseconds is called `inline`; everything else belongs on a thread, so that it can be late.
    """

    score: Score
    engine: str
    inline: bool
    checked: int
    difference: float
    digest: str

    async def ask(self, rows: Array, seconds: float, trace: str = "") -> Array:
        """The same on a thread, for what takes longer; `seconds` are the caller's to keep."""
        return await asyncio.to_thread(self.score, rows)


def served(target: Target, rows: Array, threshold: float | None = None) -> Served:
    """The target ready to be asked for single rows; `rows` are real ones. Trees are walked by compiled code, in the
    float64 of the target itself; where that differs from the target, or there are no trees, the target answers.

    Raises `ContractError` where the target has more than two classes: what is served is one score.
    """
    if target.kind not in (ScoreKind.VALUE, ScoreKind.MARGIN) and target.classes != 2:
        raise ContractError(
            f"the model has {target.classes} classes, what is served is one score",
            fix="serve the class that matters as a model of two classes",
        )
    if Access.TREES in target.access:
        walked = _walk(target.trees(), target.kind)  # type: ignore[attr-defined]
        apart = _apart(walked, target, rows[:_ROWS], threshold)
        if apart <= _CLOSE:
            return _made(target, walked, "compiled trees", True, len(rows[:_ROWS]), apart)
    return _made(target, _native(target), target.name, False, 0, 0.0)


def _made(target: Target, score: Score, engine: str, inline: bool, checked: int, apart: float) -> Served:
    return Served(score=score, engine=engine, inline=inline, checked=checked, difference=apart, digest=target.digest)


def _native(target: Target) -> Score:
    column = 0 if target.kind in (ScoreKind.VALUE, ScoreKind.MARGIN) else 1
    return lambda rows: np.ascontiguousarray(np.asarray(target.scores(rows))[:, column], dtype=np.float64)


def _walk(e: TreeEnsemble, kind: ScoreKind) -> Score:
    """One call of compiled code per batch; the link of a single row without NumPy, which would cost as much again."""
    from temper.kernels._jit_trees import sums
    from temper.kernels.trees import linked

    arrays = (e.feature, e.threshold, e.left, e.right, e.missing_left, e.value, e.root, e.base)
    column = 0 if kind in (ScoreKind.VALUE, ScoreKind.MARGIN) else 1

    def score(rows: Array) -> Array:
        out = np.empty((len(rows), e.outputs))
        sums(*arrays, rows, out)
        if e.link == "sigmoid" and len(rows) == 1:
            out[0, 0] = 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, out[0, 0]))))
            return out[:, 0]
        return linked(e, out)[:, column]

    return score


def _apart(score: Score, target: Target, rows: Array, threshold: float | None) -> float:
    """How far the scores lie apart at most; infinitely where a decision differs."""
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    told, one = score(rows), np.concatenate([score(row[None]) for row in rows[:50]])
    real = _native(target)(rows)
    same = threshold is None or bool(((told >= threshold) == (real >= threshold)).all())
    apart = max(np.abs(told - real).max(initial=0.0), np.abs(one - told[:50]).max(initial=0.0))
    return float(apart) if same else math.inf
