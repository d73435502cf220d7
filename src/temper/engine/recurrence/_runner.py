"""Rows of an incident that a model once decided wrongly; written by Temper. Beside it lies `cases.json`.

TEMPER_SYSTEM names another temper.yaml than the one it was made for. Whoever has no Temper puts a function in place of
`opened`: it gives one that says the class of every row of a matrix.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SOURCE = "temper.yaml"
LOAD: Any = None
CASES: list[dict[str, Any]] = []


def opened() -> Any:
    """Class numbers of rows, by the model of temper.yaml at its threshold."""
    system = LOAD(os.environ.get("TEMPER_SYSTEM") or (HERE / SOURCE).resolve())

    def decided(rows: Any) -> Any:
        scores = np.asarray(system.target.scores(rows.astype(system.data.x.dtype)), dtype=float)
        if scores.shape[1] == 1:
            return (scores[:, 0] >= (system.threshold or 0.0)).astype(int)
        if scores.shape[1] == 2 and system.threshold is not None:
            return (flagged(scores, system.target.kind.value) >= system.threshold).astype(int)
        return scores.argmax(axis=1)

    return decided


def flagged(scores: Any, kind: str) -> Any:
    """The probability of class 1 of two."""
    if kind == "probabilities":
        return scores[:, 1]
    return 1.0 / (1.0 + np.exp(scores[:, 0] - scores[:, 1]))


def answers() -> dict[str, int]:
    """What the model says of every case."""
    rows = np.array([[float.fromhex(value) for value in case["row"]] for case in CASES])
    return dict(zip([case["id"] for case in CASES], map(int, opened()(rows)), strict=True))
