"""What one row costs, and one of 32, by whoever computes it: the estimator, its booster, ONNX Runtime, compiled trees.

    python -m bench.guard.predictors

Generated table of 30 columns; XGBoost (200 trees, depth 6) and LightGBM (200 trees, 31 leaves). CPU microseconds of one
thread, the least of five interleaved rounds; differences are the largest of 4,096 rows against the estimator itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.table import goal, table

Array = np.ndarray[Any, Any]
Score = Callable[[Array], Array]


def main() -> int:
    """Print the table."""
    from sklearn.datasets import make_classification

    x, y = make_classification(20_000, 30, n_informative=15, random_state=0)
    x = x.astype(np.float32)
    rows = x[:4_096]
    ways = {**_xgboost(x, y), **_lightgbm(x, y)}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(5):
        for name, (score, _) in ways.items():
            taken[name].append((_cost(score, rows, 1), _cost(score, rows, 32)))
    best = {name: np.min(found, axis=0) for name, found in taken.items()}
    table(
        "CPU microseconds a row",
        ["who computes it", "alone", "of 32", "largest difference"],
        [[name, f"{best[name][0]:.1f}", f"{best[name][1]:.1f}", f"{ways[name][1]:.1e}"] for name in ways],
    )
    for name in ("xgboost", "lightgbm"):
        ours, onnx = best[f"{name}: compiled trees, as served"], best[f"{name}: ONNX Runtime"]
        goal(f"{name}: compiled trees alone over ONNX Runtime", float(ours[0] / onnx[0]), 1.1, "x")
        goal(f"{name}: of 32", float(ours[1] / onnx[1]), 1.0, "x")
    return 0


def _cost(score: Score, rows: Array, size: int) -> float:
    """Microseconds a row, after a few calls to warm up."""
    calls = 600 // size + 20
    parts = [rows[at * size : (at + 1) * size] for at in range(calls) if (at + 1) * size <= len(rows)]
    for part in parts[:5]:
        score(part)
    began = time.thread_time()
    for part in parts:
        score(part)
    return 1e6 * (time.thread_time() - began) / (len(parts) * size)


def _session(model: Any) -> Score:
    """The graph that onnxmltools writes, on one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options)
    output = [session.get_outputs()[1].name]

    def score(rows: Array) -> Array:
        found = session.run(output, {"x": rows})[0]
        return np.array([row[1] for row in found]) if isinstance(found, list) else found[:, 1]

    return score


def _walked(model: Any, rows: Array) -> Score:
    import temper
    from temper.targets.served import served

    found = served(temper.target(model), rows.astype(np.float64), 0.5)
    assert found.engine == "compiled trees"
    return lambda part: found.score(part.astype(np.float64))


def _compared(name: str, ways: dict[str, Score], truth: Score, rows: Array) -> dict[str, tuple[Score, float]]:
    real = truth(rows)
    return {f"{name}: {way}": (score, float(np.abs(score(rows) - real).max())) for way, score in ways.items()}


def _xgboost(x: Array, y: Array) -> dict[str, tuple[Score, float]]:
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    model = xgboost.XGBClassifier(n_estimators=200, max_depth=6, n_jobs=1).fit(x, y)
    booster = model.get_booster()
    graph = convert_xgboost(model, initial_types=[("x", FloatTensorType([None, 30]))])
    ways: dict[str, Score] = {
        "XGBClassifier.predict_proba": lambda rows: model.predict_proba(rows)[:, 1],
        "Booster.inplace_predict": lambda rows: booster.inplace_predict(rows, validate_features=False),
        "ONNX Runtime": _session(graph),
        "compiled trees, as served": _walked(model, x),
    }
    return _compared("xgboost", ways, ways["XGBClassifier.predict_proba"], x[:4_096])


def _lightgbm(x: Array, y: Array) -> dict[str, tuple[Score, float]]:
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    model = lightgbm.LGBMClassifier(n_estimators=200, num_leaves=31, n_jobs=1, verbose=-1).fit(x, y)
    booster = model.booster_
    graph = convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 30]))], zipmap=False)
    ways: dict[str, Score] = {
        "Booster.predict": lambda rows: booster.predict(rows, num_threads=1),
        "ONNX Runtime": _session(graph),
        "compiled trees, as served": _walked(model, x),
    }
    return _compared("lightgbm", ways, ways["Booster.predict"], x[:4_096])


if __name__ == "__main__":
    raise SystemExit(main())
