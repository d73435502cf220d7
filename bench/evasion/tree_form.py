"""Trees as arrays: reading them, and scoring a row by them, against the library itself and against NumPy alone.

    python -m bench.evasion.tree_form [--quick]

Process time on one thread, the best of the repeats. The rows are made up: 20 columns, a tenth of them missing where the
library allows. "differs" is the largest difference of a score from the library's on the rows of the batch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench.table import goal, machine, table

COLUMNS, TRAINED, REPEATS, ALONE = 20, 5_000, 5, 200


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    quick = "--quick" in words
    batch = 2_000 if quick else 10_000
    print(machine("numpy", "numba", "xgboost-cpu", "lightgbm", "scikit-learn", "catboost", "onnxruntime"))
    lines, batches, singles, plain = [], [], [], []
    for name, model, gaps in models(quick):
        found = measured(model, rows(batch, gaps, 1))
        batches.append(found["their batch"] / found["our batch"])
        singles.append(found["their row"] / found["our row"])
        plain.append(found["numpy batch"] / found["our batch"])
        lines.append([name, *(shown(found, key) for key in found)])
    heads = "parse s|trees|nodes|our batch|their batch|numpy batch|our row|their row|numpy row|differs"
    title = f"microseconds per row: in a batch of {batch:,}, and {ALONE} asked alone; process time, best of {REPEATS}"
    table(title, ["model", *heads.split("|")], lines)
    goal("one row alone against the library, the worst of them (ratio)", min(singles), 1.0, at_least=True)
    goal("a batch against the library, the worst of them (ratio)", min(batches), 1.0, at_least=True)
    goal("a batch against NumPy alone, the worst of them (ratio)", min(plain), 5.0, at_least=True)
    return 0


def rows(count: int, gaps: float, seed: int) -> Any:
    rng = np.random.Generator(np.random.Philox(key=seed))
    x = rng.normal(size=(count, COLUMNS))
    x[rng.random(x.shape) < gaps] = np.nan
    return x


def models(quick: bool) -> Iterator[tuple[str, Any, float]]:
    """(name, fitted model, share of missing values)."""
    from catboost import CatBoostClassifier
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from xgboost import XGBClassifier

    x = rows(TRAINED, 0.1, 0)
    z = np.nan_to_num(x)
    y = (z[:, 0] * z[:, 1] + np.sin(z[:, 2]) + z[:, 3:8].sum(axis=1) > 0).astype(int)
    yield "xgboost 200 x 6", XGBClassifier(n_estimators=200, max_depth=6, n_jobs=1).fit(x, y), 0.1
    yield "lightgbm 200 x 31 leaves", LGBMClassifier(n_estimators=200, n_jobs=1, verbose=-1).fit(x, y), 0.1
    forest = RandomForestClassifier(100, max_depth=10, n_jobs=1, random_state=0).fit(z, y)
    yield "forest 100 x 10", forest, 0.0
    yield "histogram 200 x 31 leaves", HistGradientBoostingClassifier(max_iter=200, random_state=0).fit(x, y), 0.1
    options = {"thread_count": 1, "verbose": False, "allow_writing_files": False}
    yield "catboost 200 x 6", CatBoostClassifier(iterations=200, depth=6, **options).fit(x, y), 0.1
    yield "onnx forest 100 x 10", _exported(forest, z), 0.0
    if not quick:
        yield "xgboost 10,000 x 6", XGBClassifier(n_estimators=10_000, max_depth=6, n_jobs=1).fit(x, y), 0.1


def _exported(model: Any, x: Any) -> bytes:
    from skl2onnx import to_onnx

    options = {id(model): {"zipmap": False}}
    return bytes(to_onnx(model, x[:1].astype(np.float32), options=options).SerializeToString())


def measured(model: Any, x: Any) -> dict[str, float]:
    """Seconds to read the model, then seconds per row each way."""
    from temper.kernels import trees
    from temper.targets import open_target

    target: Any = open_target(model)
    target.scores(x[:1])
    started = time.process_time()
    ensemble = target.trees()
    parsed = time.process_time() - started
    ours, theirs = trees.scores(ensemble, x), target.scores(x)
    few = x[:ALONE]
    return {
        "parse s": parsed,
        "trees": ensemble.trees,
        "nodes": len(ensemble.feature),
        "our batch": best(lambda: trees.scores(ensemble, x)) / len(x),
        "their batch": best(lambda: target.scores(x)) / len(x),
        "numpy batch": best(lambda: walked(ensemble, x[:500]), 1) / 500,
        "our row": best(lambda: [trees.scores(ensemble, row) for row in few[:, None]]) / len(few),
        "their row": best(lambda: [target.scores(row) for row in few[:, None]], 2) / len(few),
        "numpy row": best(lambda: [walked(ensemble, row) for row in few[:20, None]], 1) / 20,
        "differs": float(np.abs(ours - theirs).max()),
    }


def walked(ensemble: Any, x: Any) -> Any:
    """The raw outputs by NumPy alone: all rows and all trees one level down at a time."""
    at = np.broadcast_to(ensemble.root, (len(x), ensemble.trees)).copy()
    while (inner := ensemble.feature[at] >= 0).any():
        value = np.take_along_axis(x, np.maximum(ensemble.feature[at], 0), axis=1)
        left = (value < ensemble.threshold[at]) | (np.isnan(value) & ensemble.missing_left[at])
        at = np.where(inner, np.where(left, ensemble.left[at], ensemble.right[at]), at)
    return ensemble.base + ensemble.value[at].sum(axis=1)


def best(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Process time of the fastest repeat."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def shown(found: dict[str, float], key: str) -> str:
    value = found[key]
    if key in ("trees", "nodes"):
        return f"{value:,.0f}"
    if key == "differs":
        return f"{value:.1g}"
    return f"{value:.2f}" if key == "parse s" else f"{1e6 * value:,.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
