"""How many queries it takes to recover a tree leaf by leaf, beside the counts that were published.

    python -m bench.extraction.paths [--full]

Victims are scikit-learn trees of `german_credit` and `adult` (REAL, where there is a data folder) or of a generated
table, and two small ensembles. Published: Tramèr et al., 2016, table 6, BigML trees of other splits: German Credit, 26
leaves of which 25 with an answer of their own, 1,722 queries with whole rows and 1,150 with incomplete ones, which this
attack never asks. Exact: rows of the other half whose score comes back to a millionth. `surrogate` is asked as many.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.extraction.fidelity import KNOWN, Table, read, tables
from bench.table import goal, machine, table

_PUBLISHED = 1_150


def cases(full: bool) -> Iterator[tuple[str, Table, Any]]:
    """Names, tables and unfitted victims."""
    from sklearn.tree import DecisionTreeClassifier
    from xgboost import XGBClassifier

    found = {data.name: data for data in tables()}
    german = read("german_credit", "german_credit", "class-label")
    if german is not None:
        for smallest in (1, 5, 10):
            grown = DecisionTreeClassifier(max_leaf_nodes=26, min_samples_leaf=smallest, random_state=0)
            yield f"german_credit, 26 leaves of {smallest} or more", german, grown
    data = found.get("adult") or next(iter(found.values()))
    for leaves in (26, 60, 200) if full else (26, 60):
        yield (
            f"{data.name}, {leaves} leaves",
            data,
            DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=20, random_state=0),
        )
    yield f"{data.name}, 5 trees of 4 leaves", data, XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1)


def walked(data: Table, target: Any, seed: int, queries: int = 20_000) -> tuple[Any, int, float]:
    """The copy, the queries it took, and seconds of processor time."""
    attack, scene = _attack("path_finding", data, target, seed, queries)
    from temper.core.seed import Draws
    from temper.targets.oracle import Meter

    meter, started = Meter(target, queries), time.process_time()
    copy = attack.run(meter, scene, Draws(seed, "bench")).steps[-1][1]
    return copy, meter.spent, time.process_time() - started


def fitted(data: Table, target: Any, seed: int, queries: int) -> Any:
    """What `surrogate` makes of as many queries."""
    from temper.core.seed import Draws
    from temper.targets.oracle import Meter

    attack, scene = _attack("surrogate", data, target, seed, queries)
    return attack.run(Meter(target, queries), scene, Draws(seed, "bench")).steps[-1][1]


def _attack(name: str, data: Table, target: Any, seed: int, queries: int) -> tuple[Any, Any]:
    from temper.core.attack import Scene
    from temper.core.data import Data
    from temper.core.room import Room

    x, y = data.test
    held = np.random.default_rng(seed).permutation(len(x))[: min(KNOWN, len(x) // 2)]
    scene = Scene(
        x=x,
        y=y,
        ids=np.arange(len(x)),
        schema=data.schema,
        kind=target.kind,
        threshold=0.5,
        reference=Data(x=x[held], y=np.full(len(held), -1)),
    )
    return Room("temper.attacks").build(f"extraction.{name}", {"queries": queries}), scene


def main(words: list[str]) -> None:
    """Every tree, three seeds."""
    from temper.kernels.ranking import f1
    from temper.targets.load import open_target

    print(machine("numpy", "scikit-learn", "xgboost-cpu"))
    lines: list[Any] = []
    for name, data, model in cases("--full" in words):
        target = open_target(model.fit(*data.train))
        said = target.scores(data.test[0])[:, 1]
        runs = [walked(data, target, seed) for seed in range(3)]
        exact = [float(np.mean(np.abs(copy.scores(data.test[0]) - said) < 1e-6)) for copy, _, _ in runs]
        spent = [queries for _, queries, _ in runs]
        copied = fitted(data, target, 0, spent[0])
        peer = f1(said >= 0.5, copied.flags(data.test[0]))
        lines.append(
            (
                name,
                len(np.unique(said)),
                len(runs[0][0].said),
                f"{np.mean(spent):,.0f} [{min(spent):,}, {max(spent):,}]",
                f"{np.mean(exact):.4f} [{min(exact):.4f}, {max(exact):.4f}]",
                f"{f1(said >= 0.5, runs[0][0].flags(data.test[0])):.3f}",
                f"{peer:.3f}",
                f"{np.mean([seconds for *_, seconds in runs]):.1f}",
            )
        )
        if name.startswith("german_credit, 26 leaves of 10"):
            goal(f"{name}: queries", float(np.mean(spent)), _PUBLISHED, digits=0)
        if "adult, 26" in name:
            goal(f"{name}: exact rows", min(exact), 0.999, at_least=True, digits=4)
    columns = ("victim", "answers seen", "boxes", "queries", "exact", "F1", "surrogate F1", "CPU s")
    table("trees recovered leaf by leaf, 3 seeds, mean [range]", columns, lines)


if __name__ == "__main__":
    main(sys.argv[1:])
