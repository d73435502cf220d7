"""Choosing training rows to relabel, shared by the label-flip attacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError

Vector = np.ndarray[Any, Any]


def training(scene: Scene) -> Data:
    """The training rows a poisoner writes to; a scene without them is a mistake of the caller."""
    if scene.train is None or not len(scene.train):
        raise TemperError("poisoning needs training rows and the scene has none", fix="give the system its train data")
    return scene.train


def victims(eligible: Vector, wanted: int, rng: np.random.Generator) -> Vector:
    """`wanted` of the eligible rows (all, if there are fewer); a larger dose contains every smaller one.

    >>> small, large = (victims(np.arange(9), k, np.random.default_rng(0)) for k in (2, 5))
    >>> set(small) <= set(large)
    True
    """
    return rng.permutation(eligible)[:wanted]


def relabelled(data: Data, rows: Vector, labels: Vector) -> Data:
    """A copy of `data` with these rows carrying these labels; the input is left as it is."""
    y = np.array(data.y, copy=True)
    y[rows] = labels
    return Data(x=data.x, y=y, ids=data.ids)


def dose(share: float, rows: int) -> int:
    """Rows in a share of the training data, at least none and at most all."""
    return round(min(max(share, 0.0), 1.0) * rows)
