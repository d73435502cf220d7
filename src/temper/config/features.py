"""The input names a model file knows, so that a draft need not guess which columns are features."""

from __future__ import annotations

import json
from pathlib import Path

LARGEST = 2**28
"""Bytes of a model file that are looked into."""


def feature_names(model: Path) -> tuple[str, ...]:
    """The feature names in an XGBoost or LightGBM model file; empty where it has none or another format.

    Nothing is unpickled, and a file that cannot be read says nothing here: opening the model will say why.
    """
    readers = {".json": _xgboost_json, ".ubj": _xgboost, ".model": _xgboost, ".txt": _lightgbm}
    reader = readers.get(model.suffix.lower())
    if reader is None or not model.is_file() or model.stat().st_size > LARGEST:
        return ()
    try:
        return reader(model)
    except (ImportError, ValueError, KeyError, TypeError, OSError):
        return ()


def _xgboost_json(model: Path) -> tuple[str, ...]:
    return tuple(json.loads(model.read_text(encoding="utf-8"))["learner"]["feature_names"])


def _xgboost(model: Path) -> tuple[str, ...]:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(model)  # XGBoostError is a ValueError
    return tuple(booster.feature_names or ())


def _lightgbm(model: Path) -> tuple[str, ...]:
    with model.open(encoding="utf-8") as file:
        line = next((line for line in file if line.startswith("feature_names=")), "")
    names = tuple(line.removeprefix("feature_names=").split())
    return () if all(name == f"Column_{at}" for at, name in enumerate(names)) else names
