"""Gradient boosted stumps taken apart: what each column adds to the score."""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = np.ndarray[Any, Any]


def contributions(model: Any, x: Rows, reference: Rows) -> tuple[float, Rows]:
    """What each column of an additive model adds to the score of a reference row: every tree is one cut of one column.

    Read off the cuts; asking the model at every value of every column gives the same and takes a third of a scan.
    """
    parts = np.zeros(x.shape)
    for (tree,) in model._predictors:
        root = tree.nodes[0]
        if root["is_leaf"]:
            continue
        at, left, right = int(root["feature_idx"]), *(tree.nodes[root[side]]["value"] for side in ("left", "right"))
        below = [
            np.where(np.isnan(rows[:, at]), bool(root["missing_go_to_left"]), rows[:, at] <= root["num_threshold"])
            for rows in (x, reference)
        ]
        parts[:, at] += np.where(below[0], left, right) - (left if below[1][0] else right)
    return float(model.decision_function(reference)[0]), parts
