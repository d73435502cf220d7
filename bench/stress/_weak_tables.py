"""Models of tables with a planted weakness (SIMULATED): one leans on few columns, one trips over a kind of fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.schema import Column, Schema
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.engine.task import Sizes, World

SIZES = Sizes(replicates=50)


class Score:
    """A model from a function of the matrix (SIMULATED)."""

    name, access, stochastic, digest, kind, classes = "s", Access.SCORES, False, "d", ScoreKind.MARGIN, 2

    def __init__(self, score: Callable[[Any], Any]) -> None:
        self.score = score

    def scores(self, x: Any) -> Any:
        """Margins (n, 1)."""
        return self.score(x)[:, None]

    def gradient(self, x: Any, cotangent: Any) -> Any:
        """Not offered."""
        raise NotImplementedError

    def refit(self, data: Data, recipe: Any) -> Any:
        """Not offered."""
        raise NotImplementedError


def around(score: Callable[[Any], Any], x: Any, y: Any, columns: Sequence[Column], seed: int) -> World:
    """A system that answers by this function, and its rows."""
    target: Any = Score(score)
    system = Protected(
        name="s", target=target, data=Data(x=x, y=y), schema=Schema(columns=tuple(columns)), threshold=0.0
    )
    rows = np.arange(len(x))
    return World(system=system, sizes=SIZES, seed=seed, attacked=rows[:1], held_out=rows)


def leaning(seed: int, heavy: int) -> tuple[World, list[str]]:
    """A linear model of 20 bounded columns of which some weigh 1.5 times as much as any other."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.2, 1.0, 20) * rng.choice((-1, 1), 20)
    strong = rng.choice(20, heavy, replace=False)
    weights[strong] = 1.5 * rng.choice((-1, 1), heavy)
    x = rng.normal(size=(4_000, 20))
    y = (x @ weights + rng.logistic(size=len(x)) > 1).astype(int)
    columns = [Column(name=f"c{i}") for i in range(20)]
    return around(lambda x: np.clip(np.nan_to_num(x), -4, 4) @ weights, x, y, columns, seed), [f"c{i}" for i in strong]


_CODES = (-999.0, 9999.0, 99991231.0)  # sentinels that no row holds


def _traps() -> dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]]:
    """What a fragile model trips over, and the stressors that put it there."""
    lost = ("missing", "missing_at_random", "missing_not_at_random", "join_lost")
    return {
        "empty values": (lambda x: np.isnan(x).any(axis=1), lost),
        "sentinels": (lambda x: np.isin(x, _CODES).any(axis=1), ("sentinel",)),
        "foreign amounts": (lambda x: np.nanmedian(np.abs(x), axis=1) > 1.5, ("currency",)),
        "short numbers": (lambda x: _short(x).sum(axis=1) >= 3, ("rounded", "truncated")),
    }


def _short(x: Any) -> Any:
    """Numbers with decimals, two at most."""
    cents = 100 * np.nan_to_num(x)
    return (np.abs(cents - np.round(cents)) < 1e-9) & (cents % 100 != 0)


def fragile(seed: int, rows: int = 4_000, draw: int = 0) -> tuple[World, tuple[str, ...]]:
    """A linear model of bounded values whose answers turn round where it trips over one kind of fault.

    Each fault planted hits at least a tenth of the rows at severity 3. A wrong unit hits a twentieth: even if all of
    these are turned round, a frozen feed costs any model as much. `draw` gives other rows of the same trial.
    """
    rng, drawn = np.random.default_rng(seed), np.random.default_rng((seed, draw))
    weights = rng.uniform(0.2, 0.5, 20) * rng.choice((-1, 1), 20)
    x = drawn.normal(size=(rows, 20))
    y = (x @ weights + drawn.logistic(size=rows) > 1).astype(int)
    trap, guilty = list(_traps().values())[seed % 4]

    def score(x: Any) -> Any:
        known = np.clip(np.where(np.isin(x, _CODES), 0.0, np.nan_to_num(x)), -4, 4)
        return np.where(trap(x), -20 * (known @ weights - 1), known @ weights)

    return around(score, x, y, [Column(name=f"c{i}") for i in range(20)], seed), guilty
