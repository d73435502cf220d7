"""Planted weak segments: how often the search puts them first, and how often it raises a model that has none.

    python -m bench.stress.slices [--quick]

Each trial plants another segment of two columns in which class 1 is missed more often. Worlds: ten columns drawn at
random, and the real rows of `adult` (TEMPER_DATA) with mistakes planted on them. Beside it stand SliceLine, which
scores slices and tests none of them, and the worst leaf of a shallow scikit-learn tree.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table
from temper.core.schema import Column
from temper.core.seed import Draws
from temper.kernels.rate import clopper_pearson
from temper.kernels.slices import Condition, Rule, conditions
from temper.validation.weak_slice import WeakSlice

ROWS, BASE, EXCESS = 6_000, 0.10, 0.30
SHARES = (0.06, 0.15)  # of the rows, that a planted segment holds


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Rows with truth and decisions, and the segment in which class 1 is missed more often (None: nowhere)."""

    x: Any
    y: Any
    decided: Any
    columns: tuple[Column, ...]
    planted: Rule | None

    @property
    def ones(self) -> Any:
        """The rows of class 1."""
        return np.flatnonzero(self.y == 1)


def main(words: list[str]) -> int:
    """Print the rates of both worlds, and the goals."""
    print(machine("numpy", "scikit-learn", "sliceline"))
    trials = 20 if "--quick" in words else 100
    for name, rows in _tables():
        _compared(name, rows, trials)
    return 0


def _tables() -> Iterator[tuple[str, tuple[Any, tuple[Column, ...]]]]:
    yield "ten columns", (None, ())
    folder = os.environ.get("TEMPER_DATA")
    if not folder:
        print("no real rows: set TEMPER_DATA")
        return
    yield "adult (real rows, planted mistakes)", _adult(Path(folder))


def _adult(folder: Path) -> tuple[Any, tuple[Column, ...]]:
    import pandas as pd

    frame = pd.read_csv(folder / "adult" / "adult.csv.gz").drop(columns="income")
    columns, parts = [], []
    for name in frame:
        if pd.api.types.is_numeric_dtype(frame[name]):
            columns.append(Column(name=str(name)))
            parts.append(frame[name].to_numpy(dtype=float))
        else:
            coded = pd.Categorical(frame[name])
            columns.append(Column(name=str(name), type="category", categories=tuple(map(str, coded.categories))))
            parts.append(np.where(coded.codes < 0, np.nan, coded.codes).astype(float))
    return np.column_stack(parts), tuple(columns)


def _world(rows: Any, columns: tuple[Column, ...], seed: int, weak: bool) -> World:
    rng = Draws(seed, "bench.slices").generator()
    if rows is None:
        x = np.column_stack([rng.normal(size=(ROWS, 6)), rng.integers(0, 5, (ROWS, 4))]).astype(float)
        columns = (
            *(Column(name=f"number{i}") for i in range(6)),
            *(Column(name=f"kind{i}", type="category", categories=tuple("abcde")) for i in range(4)),
        )
    else:
        x = rows[rng.choice(len(rows), ROWS, replace=False)]
    y = (rng.random(ROWS) < 0.5).astype(int)
    planted = _segment(x, columns, rng) if weak else None
    inside = planted.mask(x) & (y == 1) if planted else np.zeros(ROWS, dtype=bool)
    wrong = rng.random(ROWS) < BASE + EXCESS * inside
    return World(x, y, np.where(wrong, 1 - y, y), columns, planted)


def _segment(x: Any, columns: tuple[Column, ...], rng: np.random.Generator) -> Rule:
    """Two conditions on two columns that hold for a share of the rows; edges lie between those that are searched."""
    pool = [Condition(c.at, c.sign, c.value) for c in conditions(x, columns, 11) if c.sign != "missing"]
    while True:
        a, b = (pool[i] for i in rng.choice(len(pool), 2, replace=False))
        rule = Rule((a, b))
        alone = [Rule((c,)).mask(x).mean() for c in (a, b)]
        if a.at != b.at and SHARES[0] <= rule.mask(x).mean() <= SHARES[1] and max(alone) < 0.7:
            return rule


def _ours(world: World) -> tuple[Any, bool]:
    """The rows of the first segment, and whether it is claimed to hold."""
    ones = world.ones
    here = Draws(0, "bench.halves").uniform(ones, 0) < 0.5
    claims, _ = WeakSlice()._claims(world.x[ones], world.decided[ones] != 1, here, ~here, world.columns)
    if not claims:
        return np.zeros(len(world.x), dtype=bool), False
    return claims[0][1].rule.mask(world.x), claims[0][2]


def _sliceline(world: World) -> tuple[Any, bool]:
    from sliceline.slicefinder import Slicefinder

    ones = world.ones
    coded = np.column_stack([_binned(world.x[ones, at], c) for at, c in enumerate(world.columns)])
    found = Slicefinder(alpha=0.95, k=1, max_l=2, min_sup=30, verbose=False)
    found.fit(coded, (world.decided[ones] != 1).astype(float))
    held = np.zeros(len(world.x), dtype=bool)
    if not len(found.top_slices_):
        return held, False
    mask = np.ones(len(ones), dtype=bool)
    for at, value in enumerate(found.top_slices_[0]):
        mask &= (coded[:, at] == value) if value is not None else True
    held[ones[mask]] = True
    return held, True


def _binned(values: Any, column: Column) -> Any:
    """What SliceLine takes: whole numbers from 1; quartiles of numbers, since it knows equality only."""
    if column.type == "category":
        return np.where(np.isnan(values), 0, values + 1).astype(int) + 1
    edges = np.unique(np.nanquantile(values, (0.25, 0.5, 0.75)))
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values) + 1).astype(int) + 1


def _tree(world: World) -> tuple[Any, bool]:
    from sklearn.tree import DecisionTreeClassifier

    ones, filled = world.ones, np.nan_to_num(world.x, nan=-1.0)
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=30, class_weight="balanced", random_state=0)
    tree.fit(filled[ones], world.decided[ones] != 1)
    leaves, hit = tree.apply(filled), world.decided[ones] != 1
    worst = max(np.unique(leaves[ones]), key=lambda leaf: hit[leaves[ones] == leaf].mean())
    return leaves == worst, True


SIDES: tuple[tuple[str, Callable[[World], tuple[Any, bool]]], ...] = (
    ("temper", _ours),
    ("SliceLine", _sliceline),
    ("worst leaf of a tree", _tree),
)


def _compared(name: str, rows: tuple[Any, tuple[Column, ...]], trials: int) -> None:
    lines, ranked, raised = [], 0, 0
    for side, find in SIDES:
        first = claimed = 0
        start = time.process_time()
        try:
            for seed in range(trials):
                world = _world(*rows, seed, weak=True)
                first += _same(find(world)[0], world)
                claimed += find(_world(*rows, 10_000 + seed, weak=False))[1]
        except ImportError as absent:
            print(f"{side}: not installed ({absent})")
            continue
        seconds = (time.process_time() - start) / (2 * trials)
        lines.append((side, _rate(first, trials), _rate(claimed, trials), f"{seconds:.2f}"))
        if side == "temper":
            ranked, raised = first, claimed
    table(
        f"{name}: {ROWS:,} rows, misses {BASE:g} elsewhere and {BASE + EXCESS:g} in the segment; {trials} trials each",
        ("", "planted ranked first", "raised on a sound twin", "s per search"),
        lines,
    )
    goal(f"{name}: planted segment ranked first", 100 * ranked / trials, 95, "%", at_least=True, digits=0)
    low = 100 * clopper_pearson(raised, trials)[0]
    goal(f"{name}: sound twins raised, lower end of the interval", low, 5 + 1e-9, "%", digits=1)


def _same(found: Any, world: World) -> bool:
    """Whether the segment found is the planted one: they share half of all rows (of class 1) that either holds."""
    assert world.planted is not None
    ones = world.ones
    a, b = np.asarray(found)[ones], world.planted.mask(world.x)[ones]
    return bool((a & b).sum() >= 0.5 * (a | b).sum())


def _rate(count: int, n: int) -> str:
    low, high = clopper_pearson(count, n)
    return f"{count}/{n} [{100 * low:.0f} %, {100 * high:.0f} %]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
