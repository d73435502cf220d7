"""How well a network of ten classes is copied: moved along slopes, made up, or natural rows, at equal queries.

    python -m bench.extraction.classes [--full]

The victim is an MLP of 64 units on half of scikit-learn's digits; all thieves but one hold the same 100 unlabelled rows
of the other half, `natural` 400. Judged on 497 rows nobody was asked about: macro F1 of decisions, mean AUC over the
victim's; means over seeds with their range.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import numpy as np

from bench.table import goal, machine, table

_HELD, _MANY = 100, 400


def main(words: list[str]) -> None:
    """Every thief at every budget."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from temper.targets.sklearn import Sklearn

    print(machine("numpy", "scikit-learn"))
    seeds, budgets = (3, (300, 1_000, 3_000)) if "--full" in words else (2, (300, 1_000))
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = make_pipeline(StandardScaler(), MLPClassifier((64,), max_iter=150, random_state=0))
        target = Sklearn(model=net.fit(x[order[:900]], y[order[:900]]), classes=10)
    rest = (x[order[900:]], y[order[900:]])
    lines: list[Any] = []
    for queries in budgets:
        thieves = (("surrogate", _HELD), ("jacobian", _HELD), ("natural", _HELD), ("natural", _MANY))
        found = {of: [stolen(target, rest, *of, queries, seed) for seed in range(seeds)] for of in thieves}
        lines += [(f"{name}, {held} rows held", f"{queries:,}", *_shown(found[name, held])) for name, held in thieves]
        gap = float(np.mean([a[0] - b[0] for a, b in zip(found[thieves[0]], found[thieves[1]], strict=True)]))
        goal(f"digits, {queries:,} queries: surrogate's F1 above jacobian's by", gap, 0.0, at_least=True, digits=3)
    table(f"digits, MLP 64, {seeds} seeds, mean [range]", ("thief", "queries", "macro F1", "AUC ratio", "CPU s"), lines)


def stolen(target: Any, rest: Any, name: str, held: int, queries: int, seed: int) -> tuple[float, float, float]:
    """Macro F1, AUC ratio, seconds of processor time."""
    from temper.core.attack import Scene
    from temper.core.data import Data
    from temper.core.room import Room
    from temper.core.schema import Column, Schema
    from temper.core.seed import Draws
    from temper.judges._several import confusion, macro_f1, mean_auc
    from temper.targets.oracle import Meter

    x, y = rest
    order = np.random.default_rng(seed).permutation(len(x))
    scene = Scene(
        x=x,
        y=y,
        ids=np.arange(len(x)),
        schema=Schema(columns=tuple(Column(name=f"p{at}", low=0, high=16) for at in range(64))),
        kind=target.kind,
        classes=10,
        reference=Data(x=x[order[:held]], y=np.full(held, -1)),
    )
    started = time.process_time()
    attack = Room("temper.attacks").build(f"extraction.{name}", {"queries": queries})
    copy = attack.run(Meter(target, queries), scene, Draws(seed, "bench")).steps[-1][1]
    seconds, judged = time.process_time() - started, order[_MANY:]
    said = target.scores(x[judged])
    agreed = float(macro_f1(confusion(said.argmax(axis=1), copy.flags(x[judged]), 10)))
    return agreed, mean_auc(y[judged], copy.scores(x[judged])) / mean_auc(y[judged], said), seconds


def _shown(runs: list[tuple[float, float, float]]) -> list[str]:
    return [f"{np.mean(of):.3f} [{min(of):.3f}, {max(of):.3f}]" for of in zip(*runs, strict=True)]


if __name__ == "__main__":
    main(sys.argv[1:])
