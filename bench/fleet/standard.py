"""The standard fleet: twenty small systems of several kinds and sizes, made from seeds (SIMULATED)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

ONLY = "stress, evasion.coordinate, evasion.square, evasion.random_search, validation.performance"
KINDS = ("xgboost", "lightgbm", "linear", "net")
_CODE = """import numpy as np
W = {weights}
def score(x):
    x = np.nan_to_num(np.asarray(x, float))
    for w in W:
        x = np.tanh(x @ np.asarray(w))
    p = 1 / (1 + np.exp(-3 * x.sum(axis=1)))
    return np.stack([1 - p, p], axis=1)
"""
_YAML = """system: {{name: {name}, simulated: true}}
model: {model}
data: {{test: test.csv, train: train.csv, target: label}}
schema:
  columns:
{columns}
actors:
  - {{name: guesser, knowledge: black-box, queries: 100, norm: linf, radius: 0.5}}
"""


def write(folder: Path, systems: int = 20) -> Path:
    """The portfolio of these systems, the largest about ten times the smallest; three tiers in turn."""
    entries = []
    for at in range(systems):
        name, level = f"s{at:02d}", ("high", "medium", "low")[at % 3]
        _system(folder / name, KINDS[at % len(KINDS)], at)
        entries.append(f"  - {{path: {name}, tier: {level}, suite: quick, only: [{ONLY}]}}")
    path = folder / "portfolio.yaml"
    path.write_text("name: standard fleet, SIMULATED\nsystems:\n" + "\n".join(entries) + "\n")
    return path


def _system(folder: Path, kind: str, seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    features = int(rng.integers(4, 16))
    rows = int(200 * 10 ** rng.random())
    weights = rng.normal(size=features)
    tables = []
    for name in ("train", "test"):
        x = rng.normal(size=(rows, features))
        y = (x @ weights + rng.normal(size=rows) > 0).astype(int)
        tables.append((x, y))
        head = ",".join([*(f"c{at}" for at in range(features)), "label"])
        table = np.column_stack([x, y])
        np.savetxt(folder / f"{name}.csv", table, "%.5f", ",", header=head, comments="")
    model = _model(folder, kind, *tables[0], weights, rng)
    columns = "\n".join(f"    c{at}: {{type: number, attacker: free}}" for at in range(features))
    (folder / "temper.yaml").write_text(_YAML.format(name=folder.name, model=model, columns=columns))


def _model(folder: Path, kind: str, x: Any, y: Any, weights: Any, rng: np.random.Generator) -> str:
    """Fit and save one; what temper.yaml says of it."""
    trees = int(rng.integers(20, 120))
    if kind == "xgboost":
        import xgboost

        settings = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "seed": 0}
        xgboost.train(settings, xgboost.DMatrix(x, y), trees).save_model(folder / "model.json")
        return "{path: model.json}"
    if kind == "lightgbm":
        import lightgbm

        settings = {"objective": "binary", "num_leaves": 15, "num_threads": 1, "verbosity": -1, "seed": 0}
        lightgbm.train(settings, lightgbm.Dataset(x, y), trees).save_model(folder / "model.txt")
        return "{path: model.txt}"
    hidden = [weights[:, None] / np.sqrt(len(weights))]
    if kind == "net":
        hidden = [rng.normal(size=(len(weights), 64)) / 4, rng.normal(size=(64, 1)) / 4]
        score = x
        for each in hidden:
            score = np.tanh(score @ each)
        hidden[-1] *= 1.0 if np.mean((score[:, 0] > 0) == y) > 0.5 else -1.0
    (folder / "model.py").write_text(_CODE.format(weights=[each.round(6).tolist() for each in hidden]))
    return '{callable: "model.py:score", kind: probabilities, classes: 2, version: "1"}'
