"""Models of trees and rows they judge right, for the benches of tree attacks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fitted model with rows it judges right; columns are scaled to [0, 1]."""

    name: str
    model: Any
    x: Array
    y: Array


def first_case(rows: int) -> Case:
    """XGBoost on the generated task."""
    from xgboost import XGBClassifier

    model = XGBClassifier(n_estimators=200, max_depth=6, learning_rate=0.1, random_state=0, nthread=1)
    return _fitted("XGBoost 200 x 6", model, *_generated(), rows)


def other_cases(rows: int) -> list[Case]:
    """Other libraries on the same task, and real tables where there is a data folder."""
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import RandomForestClassifier
    from xgboost import XGBClassifier

    light = LGBMClassifier(n_estimators=200, num_leaves=31, learning_rate=0.1, random_state=0, n_jobs=1, verbose=-1)
    forest = RandomForestClassifier(n_estimators=100, max_depth=8, random_state=0, n_jobs=1)
    cases = [_fitted("LightGBM 200 x 31 leaves", light, *_generated(), rows)]
    cases.append(_fitted("Forest 100 x 8", forest, *_generated(), rows))
    for name, data in (("fraud_handbook", _fraud()), ("credit_default_uci", _credit())):
        if data is not None:
            model = XGBClassifier(n_estimators=200, max_depth=6, learning_rate=0.1, random_state=0, nthread=1)
            cases.append(_fitted(f"{name}, XGBoost 200 x 6", model, *data, rows))
    return cases


def _fitted(name: str, model: Any, x: Array, y: Array, rows: int) -> Case:
    """Scaled, split, fitted; the first rows that are judged right."""
    from sklearn.model_selection import train_test_split

    x = ((x - x.min(axis=0)) / np.maximum(x.max(axis=0) - x.min(axis=0), 1e-12)).astype(np.float32)
    train, test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0)
    model.fit(train, y_train)
    right = np.flatnonzero(model.predict(test) == y_test)
    if y_test.mean() < 0.3:  # of a rare class, half of the rows
        flagged = right[y_test[right] == 1][: rows // 2]
        right = np.concatenate([flagged, right[y_test[right] == 0][: rows - len(flagged)]])
    print(f"{name}: accuracy {(model.predict(test) == y_test).mean():.3f} on {len(test):,} rows")
    return Case(name=name, model=model, x=test[right[:rows]], y=y_test[right[:rows]].astype(np.int64))


def _generated() -> tuple[Array, Array]:
    from sklearn.datasets import make_classification

    return make_classification(
        20000,
        30,
        n_informative=15,
        n_redundant=5,
        n_clusters_per_class=4,
        class_sep=1.0,
        random_state=0,
    )


def _data() -> Path:
    return Path(os.environ.get("TEMPER_DATA") or Path(__file__).parents[3] / "shared" / "data")


def _fraud() -> tuple[Array, Array] | None:
    """Amount, time of day and weekday, and what customer and terminal did before."""
    import pandas as pd

    file = _data() / "fraud_handbook" / "transactions.parquet"
    if not file.exists():
        return None
    frame = pd.read_parquet(file).sort_values("TX_DATETIME", kind="stable").head(200_000)
    when = frame["TX_DATETIME"].dt
    kept = ("TX_FRAUD", "TX_FRAUD_SCENARIO", "TRANSACTION_ID", "TX_DATETIME", "TX_TIME_SECONDS", "TX_TIME_DAYS")
    numbers = frame.drop(columns=[name for name in kept if name in frame]).select_dtypes("number")
    numbers = numbers.assign(hour=when.hour, weekday=when.day_of_week)
    return numbers.to_numpy(np.float64), frame["TX_FRAUD"].to_numpy()


def _credit() -> tuple[Array, Array] | None:
    import pandas as pd

    file = _data() / "credit_default_uci" / "credit-card-clients.csv.gz"
    if not file.exists():
        return None
    frame = pd.read_csv(file)
    frame = frame.select_dtypes("number")
    return frame.iloc[:, :-1].to_numpy(np.float64), frame.iloc[:, -1].to_numpy()
