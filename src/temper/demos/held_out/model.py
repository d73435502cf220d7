"""The detector that is attacked, and the folder that describes it as a system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.core.schema import Column, Schema
from temper.demos.held_out.columns import schema
from temper.demos.held_out.simulation import generate

if TYPE_CHECKING:
    import pandas as pd
    import xgboost

TARGET = "is_fraud"
THRESHOLD = 0.3  # about seven of ten frauds stopped, with four right alarms in five
_TRAINED = 0.7
_REPORTED_AFTER = 48.0


def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, test) by time: the first 70 % of the hours, two days left out because reports come late, and the rest."""
    end = frame.index.min() + _TRAINED * (frame.index.max() - frame.index.min())
    return frame[frame.index < end], frame[frame.index >= end + _REPORTED_AFTER]


def matrix(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """The float64 matrix (n, 18) of the schema; a category is its position in `Column.categories`."""
    from temper.targets.frame import to_matrix

    return to_matrix(frame, schema())


def train(frame: pd.DataFrame, seed: int = 0) -> xgboost.XGBClassifier:
    """A gradient-boosted detector as a bank would ship it: depth 4, 150 trees, no hardening of any kind.

    It is fitted on the matrix of the schema, without column names, so any caller of the matrix can use it.
    """
    import xgboost

    model = xgboost.XGBClassifier(
        n_estimators=150, max_depth=4, learning_rate=0.1, subsample=0.8, n_jobs=1, random_state=seed
    )
    return model.fit(matrix(frame), frame[TARGET].to_numpy())


def write(folder: Path | str, seed: int = 0, payers: int = 2_700, days: int = 60) -> Path:
    """Generate, split, train and save; gives the path of the `temper.yaml` beside model.ubj, train and test parquet."""
    import yaml

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    past, recent = split(generate(seed, payers=payers, days=days))
    train(past, seed).save_model(folder / "model.ubj")
    past.reset_index(drop=True).to_parquet(folder / "train.parquet")
    recent.reset_index(drop=True).to_parquet(folder / "test.parquet")
    path = folder / "temper.yaml"
    path.write_text(yaml.safe_dump(_document(), sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    return path


def _document() -> dict[str, Any]:
    return {
        "system": {
            "name": "payments-held-out",
            "purpose": "Stops account-to-account payments that look like fraud (SIMULATED data).",
            "harmed": "payers who lose their savings; payers whose honest payments are stopped",
            "criticality": "high",
            "simulated": True,
        },
        "model": {"path": "model.ubj", "kind": "probabilities", "threshold": THRESHOLD},
        "data": {"test": "test.parquet", "train": "train.parquet", "target": TARGET, "positive": "1"},
        "exposure": {
            "returns": "score",
            "public": True,
            "retrained": True,
            "outside_data": True,
            "personal_data": True,
        },
        "actors": [
            {
                "name": "fraudster",
                "knowledge": "black-box",
                "queries": 200,
                "cost": 5.0,
                "writes": ["input", "labels"],
            }
        ],
        "schema": _written(schema()),
        "policy": "default",
    }


def _written(described: Schema) -> dict[str, Any]:
    columns = {column.name: _entry(column) for column in described.columns}
    return {"columns": columns, "relations": list(described.relations)}


def _entry(column: Column) -> dict[str, Any]:
    """One column as the document says it: what differs from the default."""
    entry: dict[str, Any] = {"type": column.type, "attacker": column.attacker.value}
    blank = Column(name=column.name)
    for key in ("low", "high", "cost", "direction", "formula", "scale", "sensitive"):
        if getattr(column, key) != getattr(blank, key):
            entry[key] = getattr(column, key)
    return entry | ({"categories": list(column.categories)} if column.categories else {})
