"""What one row costs, and one of 32, by whoever computes it: the estimator, its booster, ONNX Runtime, what is served.

    python -m bench.guard.predictors [--products]

Generated table of 30 columns; XGBoost (200 trees, depth 6), LightGBM (200 trees, 31 leaves), scikit-learn's scaler with
a logistic regression and with a net of 64 and 32, and the regression behind three columns of one-hot words, which takes
a data frame. CPU microseconds of one thread, the least of five interleaved rounds; differences are the largest of 4,096
rows against the estimator itself. `--products` leaves the trees out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.table import goal, table

Array = np.ndarray[Any, Any]
Score = Callable[[Array], Array]
Way = tuple[Score, float, Array]
"""Who scores, how far from the estimator itself, and rows as it takes them."""


def main(words: list[str]) -> int:
    """Print the table."""
    from sklearn.datasets import make_classification

    x, y = make_classification(20_000, 30, n_informative=15, random_state=0)
    x = x.astype(np.float32)
    boosted = () if "--products" in words else (*_xgboost(x, y).items(), *_lightgbm(x, y).items())
    ways = {**dict(boosted), **_products(x, y), **_worded(x, y)}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(5):
        for name, (score, _, own) in ways.items():
            taken[name].append((_cost(score, own, 1), _cost(score, own, 32)))
    best = {name: np.min(found, axis=0) for name, found in taken.items()}
    table(
        "CPU microseconds a row",
        ["who computes it", "alone", "of 32", "largest difference"],
        [[name, f"{best[name][0]:.1f}", f"{best[name][1]:.1f}", f"{ways[name][1]:.1e}"] for name in ways],
    )
    for name in ("xgboost", "lightgbm") if boosted else ():
        ours, onnx = best[f"{name}: compiled trees, as served"], best[f"{name}: ONNX Runtime"]
        goal(f"{name}: compiled trees alone over ONNX Runtime", float(ours[0] / onnx[0]), 1.1, "x")
        goal(f"{name}: of 32", float(ours[1] / onnx[1]), 1.0, "x")
    for name in ("logistic regression", "net", "regression behind words"):
        ours, native = best[f"{name}: products, as served"], best[f"{name}: scikit-learn"]
        goal(f"{name}: as served over scikit-learn, alone", float(ours[0] / native[0]), 0.1, "x", digits=4)
        goal(f"{name}: of 32", float(ours[1] / native[1]), 0.5, "x", digits=4)
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


def _served(target: Any, rows: Array, engine: str) -> Score:
    from temper.targets.served import served

    found = served(target, rows.astype(np.float64), 0.5)
    assert found.engine == engine, found.engine
    return lambda part: found.score(part.astype(np.float64))


def _compared(name: str, ways: dict[str, Score], truth: Score, rows: Array) -> dict[str, Way]:
    real = truth(rows)
    return {f"{name}: {way}": (score, float(np.abs(score(rows) - real).max()), rows) for way, score in ways.items()}


def _products(x: Array, y: Array) -> dict[str, Way]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import temper

    cores = {
        "logistic regression": LogisticRegression(),
        "net": MLPClassifier((64, 32), max_iter=20, early_stopping=True, random_state=0),
    }
    ways: dict[str, Way] = {}
    for name, core in cores.items():
        model = make_pipeline(StandardScaler(), core).fit(x.astype(np.float64), y)
        target = temper.target(model)
        both: dict[str, Score] = {
            "scikit-learn": lambda rows, model=model: model.predict_proba(rows)[:, 1],  # type: ignore[misc]
            "products, as served": _served(target, x, "matrix products"),
        }
        ways |= _compared(name, both, both["scikit-learn"], x[:4_096])
    return ways


def _worded(x: Array, y: Array) -> dict[str, Way]:
    """Three columns are words: the pipeline takes a data frame, and its target makes one of the rows."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    import temper
    from temper.core.schema import Column, Schema
    from temper.targets.frame import to_frame

    rows, words = x.astype(np.float64), tuple(f"word {at}" for at in range(8))
    rows[:, 27:] = np.clip(np.round(rows[:, 27:]) + 4, 0, 7)
    numbers = [Column(name=f"n{at}", type="number") for at in range(27)]
    schema = Schema(columns=(*numbers, *(Column(name=f"w{at}", type="category", categories=words) for at in range(3))))
    before = ColumnTransformer(
        [("numbers", StandardScaler(), list(schema.names[:27])), ("words", OneHotEncoder(), list(schema.names[27:]))]
    )
    model = make_pipeline(before, LogisticRegression(max_iter=300)).fit(to_frame(rows, schema), y)
    target = temper.target(model, schema=schema)
    both: dict[str, Score] = {
        "scikit-learn": lambda part: np.asarray(target.scores(part))[:, 1],
        "products, as served": _served(target, rows, "matrix products"),
    }
    return _compared("regression behind words", both, both["scikit-learn"], rows[:4_096])


def _xgboost(x: Array, y: Array) -> dict[str, Way]:
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    import temper

    model = xgboost.XGBClassifier(n_estimators=200, max_depth=6, n_jobs=1).fit(x, y)
    booster = model.get_booster()
    graph = convert_xgboost(model, initial_types=[("x", FloatTensorType([None, 30]))])
    ways: dict[str, Score] = {
        "XGBClassifier.predict_proba": lambda rows: model.predict_proba(rows)[:, 1],
        "Booster.inplace_predict": lambda rows: booster.inplace_predict(rows, validate_features=False),
        "ONNX Runtime": _session(graph),
        "compiled trees, as served": _served(temper.target(model), x, "compiled trees"),
    }
    return _compared("xgboost", ways, ways["XGBClassifier.predict_proba"], x[:4_096])


def _lightgbm(x: Array, y: Array) -> dict[str, Way]:
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    import temper

    model = lightgbm.LGBMClassifier(n_estimators=200, num_leaves=31, n_jobs=1, verbose=-1).fit(x, y)
    booster = model.booster_
    graph = convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 30]))], zipmap=False)
    ways: dict[str, Score] = {
        "Booster.predict": lambda rows: booster.predict(rows, num_threads=1),
        "ONNX Runtime": _session(graph),
        "compiled trees, as served": _served(temper.target(model), x, "compiled trees"),
    }
    return _compared("lightgbm", ways, ways["Booster.predict"], x[:4_096])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
