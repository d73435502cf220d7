"""A small system in a folder, as a user has one: temper.yaml, rows and a model's file (SIMULATED)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from temper.core.seed import Draws

COLUMNS = ("amount", "hour", "limit", "age")
_YAML = """system: {{name: small, purpose: finds fraud, harmed: customers}}
model: {{path: model.json, kind: probabilities, threshold: 0.5}}
data: {{test: test.csv, train: train.csv, target: y, positive: "1"}}
schema:
  columns:
    amount: {{type: number, low: 0, high: 5000, attacker: costly, scale: 100}}
    hour: {{type: integer, low: 0, high: 23, attacker: costly, scale: 4}}
    limit: {{type: number, low: 100, high: 9000}}
    age: {{type: number, low: 18, high: 99, missing: true}}
{more}"""


def rows(n: int, seed: int) -> Any:
    """Payments (n, 4)."""
    rng = Draws(seed, "bench.planted.system").generator()
    limit = np.clip(rng.lognormal(7.0, 0.5, n), 100, 9_000)
    amount = np.clip(limit * rng.beta(2, 8, n), 0, 5_000)
    age = np.clip(rng.normal(45, 12, n), 18, 99)
    return np.column_stack([amount, rng.integers(0, 24, n), limit, age])


def written(folder: Path, more: str = "") -> Path:
    """The path of its temper.yaml."""
    import xgboost

    for name, seed, n in (("train", 1, 3_000), ("test", 2, 3_000)):
        x = rows(n, seed)
        odds = 0.004 * (x[:, 0] - 300) + 0.1 * (x[:, 1] - 12)
        y = (odds + Draws(seed, "bench.planted.system.y").generator().logistic(size=n) > 0).astype(int)
        table(folder / f"{name}.csv", x, (*COLUMNS, "y"), y[:, None])
        if name == "train":
            settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}
            xgboost.train(settings, xgboost.DMatrix(x, y), 20).save_model(folder / "model.json")
    path = folder / "temper.yaml"
    path.write_text(_YAML.format(more=more), encoding="utf-8")
    return path


def table(path: Path, x: Any, columns: tuple[str, ...], *more: Any) -> Path:
    """Rows as a CSV file; what is missing is empty."""
    full = np.column_stack([x, *more])
    lines = [",".join("" if np.isnan(value) else f"{value:.10g}" for value in row) for row in full]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8")
    return path
