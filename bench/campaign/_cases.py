"""Two tasks with their attackers: SIMULATED card fraud, and the real credit defaults of UCI."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
MODELS = ("xgboost", "lightgbm", "forest")
TASKS = ("fraud", "credit")
_PART = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A fitted victim with its threshold and schema, the flagged rows that attackers want to have pass, the rows they
    hold, and what a change of one row may cost.
    """

    name: str
    target: Any
    threshold: float
    schema: Any
    cost: float
    train: tuple[Array, Array]
    flagged: Array
    others: tuple[Array, Array]

    def drawn(self, seed: int, wanted: int, held: int) -> tuple[Array, tuple[Array, Array]]:
        """`wanted` flagged rows, and `held` rows of the attacker's own with their truth."""
        own = np.random.default_rng(seed).permutation(len(self.others[0]))[:held]
        return self.flagged[:wanted], (self.others[0][own], self.others[1][own])


@cache
def case(task: str, model: str, seed: int) -> Case | None:
    """The victim of this kind on this task; None where the data are not there. No two seeds share a wanted row: each
    has a world of its own (fraud), or its own part of the flagged rows (credit).
    """
    table = _fraud(seed) if task == "fraud" else _credit()
    if table is None:
        return None
    from temper.targets.load import open_target

    schema, cost, train, tuned, test, share = table
    target = open_target(_fitted(model, task, seed if task == "fraud" else 0))
    threshold = float(np.quantile(target.scores(tuned[0])[:, 1], 1.0 - share))
    half = len(test[0]) // 2
    x, y = test[0][half:], test[1][half:]
    flagged = x[(y == 1) & (target.scores(x)[:, 1] >= threshold)]
    if task == "credit":
        flagged = flagged[_PART * (seed % 5) :][:_PART]  # 0, 1, 2 are reported, 103 and 104 are not
    return Case(
        name=f"{task}, {model}",
        target=target,
        threshold=threshold,
        schema=schema,
        cost=cost,
        train=train,
        flagged=flagged,
        others=(test[0][:half], test[1][:half]),
    )


@cache
def _fitted(name: str, task: str, seed: int) -> Any:
    table = _fraud(seed) if task == "fraud" else _credit()
    return _model(name).fit(*table[2])


def _model(name: str) -> Any:
    if name == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(n_estimators=60, n_jobs=1, random_state=0)
    if name == "lightgbm":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(n_estimators=100, num_leaves=31, n_jobs=1, random_state=0, verbose=-1)
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=100, min_samples_leaf=3, n_jobs=1, random_state=0)


@cache
def _fraud(seed: int) -> Any:
    """A world of the demo, split by time; one alert in fifty payments."""
    from temper.demos import fraud

    parts = fraud.split(fraud.generate(seed, 1_000, 60))
    train, tuned, test = (fraud.rows(part) for part in (parts.train, parts.validation, parts.test))
    mixed = np.random.default_rng(seed).permutation(len(test))
    return fraud.schema(), 2.0, (train.x, train.y), (tuned.x, tuned.y), (test.x[mixed], test.y[mixed]), 0.02


@cache
def _credit() -> Any:
    """Whoever wants credit pays more, is late less often and owes less, at a price; one in five is refused."""
    import pandas as pd

    folder = Path(os.environ.get("TEMPER_DATA", "../shared/data"))
    file = folder / "credit_default_uci" / "credit-card-clients.csv.gz"
    if not file.exists():
        return None
    frame = pd.read_csv(file)
    y = frame.pop("default payment").to_numpy().astype(np.int64)
    frame["used"] = frame["BILL_AMT1"] / frame["LIMIT_BAL"]
    x = frame.to_numpy(dtype=float)
    at = np.random.default_rng(0).permutation(len(x))
    parts = [(x[rows], y[rows]) for rows in np.split(at, [15_000, 18_000])]
    return _credit_schema(frame, x), 1.0, *parts, 0.2


def _credit_schema(frame: Any, x: Array) -> Any:
    from temper.core.schema import Column, Mutability, Schema

    late = ("PAY_0", "PAY_2", "PAY_3")
    rules: dict[str, dict[str, Any]] = {
        name: {"type": "integer", "low": 0, "high": 2_000_000, "direction": "rise"}
        for name in ("PAY_AMT1", "PAY_AMT2", "PAY_AMT3")
    }
    rules |= {name: {"low": -400_000, "high": 2_000_000} for name in ("BILL_AMT1", "BILL_AMT2")}
    rules |= {name: {"type": "integer", "low": -2, "high": 8, "direction": "fall", "cost": 0.7} for name in late}
    rules |= {"LIMIT_BAL": {"type": "integer", "low": 10_000, "high": 1_000_000, "direction": "fall"}}
    columns = []
    for at, name in enumerate(frame.columns):
        rule = dict(rules.get(name, {}))
        how = Mutability.COSTLY if rule else Mutability.IMMUTABLE
        if name == "used":
            how, rule = Mutability.DERIVED, {"formula": "BILL_AMT1 / LIMIT_BAL"}
        scale = 1.0 if name in late else float(x[:, at].std())
        columns.append(Column(name=name, attacker=how, scale=scale, **rule))
    return Schema(columns=tuple(columns), relations=("BILL_AMT1 <= 1.5 * LIMIT_BAL",))
