"""A model of its own for some of the columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.target import Recipe, Target
from temper.targets.averaged import Member


def member(target: Target, data: Data, columns: np.ndarray[Any, Any], recipe: Recipe) -> Member:
    """The target fitted again with every column but these held at its median."""
    fill = np.nan_to_num(np.nanquantile(data.x, 0.5, axis=0, method="nearest"))
    x = np.array(np.broadcast_to(fill, data.x.shape))
    x[:, columns] = data.x[:, columns]
    model = target.refit(Data(x=x, y=data.y, ids=data.ids), recipe)
    return Member(target=model, columns=tuple(columns.tolist()), fill=tuple(fill.tolist()))
