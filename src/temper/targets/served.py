"""The model as it is served: one score per row, by the fastest way that was seen to say what the target says."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from temper.core.errors import ContractError, TemperError
from temper.core.target import Access, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.kernels.dense import Dense, outputs

Array = np.ndarray[Any, Any]
Score = Callable[[Array], Array]
_ROWS, _CLOSE = 1_000, 1e-6
"""Rows on which a way is held against the target, and how far their scores may lie apart."""


@runtime_checkable
class Products(Protocol):
    """A target that may come down to a few products."""

    def dense(self, rows: Array) -> Dense | None:
        """Its arrays, None where it does not."""


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
    threads: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, thread_name_prefix="model"))
    """Its own: a model that hangs must not take those on which quotas and cases are told of."""

    async def ask(self, rows: Array, seconds: float, trace: str = "") -> Array:
        """The same on a thread, for what takes longer; `seconds` are the caller's to keep."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self.score, rows)


def served(target: Target, rows: Array, threshold: float | None = None) -> Served:
    """The target ready to be asked for single rows; `rows` are real ones. Trees are walked by compiled code, linear
    models and small nets are a few products, both in float64; where that differs from the target, on real rows or
    beyond them, or there is neither, the target answers.

    Raises `ContractError` where the target has more than two classes: what is served is one score.
    """
    if target.kind not in (ScoreKind.VALUE, ScoreKind.MARGIN) and target.classes != 2:
        raise ContractError(
            f"the model has {target.classes} classes, what is served is one score",
            fix="serve the class that matters as a model of two classes",
        )
    if Access.TREES in target.access:
        walked = _walk(target.trees(), target.kind)  # type: ignore[attr-defined]
        return _held(target, walked, "compiled trees", rows[:_ROWS], threshold)
    found = target.dense(rows[:_ROWS]) if isinstance(target, Products) else None
    if found is not None:
        checked = np.concatenate([rows[:_ROWS], _beyond(rows[:_ROWS], found)])
        return _held(target, partial(outputs, found), "matrix products", checked, threshold)
    return _made(target, _native(target), target.name, False, 0, 0.0)


def _held(target: Target, score: Score, engine: str, rows: Array, threshold: float | None) -> Served:
    """The faster way where it says what the target says on these rows, else the target, which says why."""
    apart = _apart(score, target, rows, threshold)
    if apart <= _CLOSE:
        return _made(target, score, engine, True, len(rows), apart)
    how = "decided otherwise" if apart == math.inf else f"were off by {apart:.0e}"
    return _made(target, _native(target), f"{target.name} ({engine} {how})", False, 0, 0.0)


def _beyond(rows: Array, dense: Dense) -> Array:
    """A real row with each number far outside where numbers were, or missing, and with every code there is: what bends
    there, or is refused, must not be taken for anything else.
    """
    finite = rows[np.isfinite(rows).all(axis=1)]
    if not len(finite):
        return rows[:0]
    low, high, made = finite.min(axis=0), finite.max(axis=0), []
    for at, start in enumerate(dense.starts):
        far = 3.0 * (high[at] - low[at]) + 1.0
        numbers = [low[at] - far, high[at] + far]
        for value in [np.nan, *(numbers if start < 0 else range(int(dense.counts[at])))]:
            made.append(finite[0].copy())
            made[-1][at] = value
    return np.array(made, dtype=np.float64)


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
    """How far the scores lie apart at most; infinitely where a decision differs, or one of the two refuses a row."""
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    told, one = score(rows), np.concatenate([score(row[None]) for row in rows[:50]])
    real = _taken(_native(target), rows)
    same = threshold is None or bool(((told >= threshold) == (real >= threshold)).all())
    if not same or (np.isnan(told) != np.isnan(real)).any():
        return math.inf
    apart = np.nan_to_num(np.concatenate([np.abs(told - real), np.abs(one - told[:50])]), nan=0.0)
    return float(apart.max(initial=0.0))


def _taken(score: Score, rows: Array) -> Array:
    """The scores, NaN of rows that the model refuses."""
    try:
        return score(rows)
    except (ValueError, TemperError):
        if len(rows) == 1:
            return np.full(1, np.nan)
    return np.concatenate([_taken(score, half) for half in np.array_split(rows, 2)])
