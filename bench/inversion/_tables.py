"""The real tables of these benches, and a scene about a model of one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

FILES = {"credit": "credit_default_uci/credit-card-clients.csv.gz", "adult": "adult/adult.csv.gz"}


def read(folder: Path, name: str, rows: int) -> tuple[Any, Any, list[str]]:
    """Numbers and category codes of rows drawn once, the class, and the names of the columns."""
    import pandas as pd

    frame = pd.read_csv(folder / FILES[name])
    y = frame.pop(frame.columns[-1])
    coded = frame.apply(lambda column: column if column.dtype.kind in "if" else column.astype("category").cat.codes)
    truth = y if y.dtype.kind in "if" else y.astype("category").cat.codes
    kept = np.random.default_rng(0).permutation(len(coded))[:rows]
    return coded.to_numpy(dtype=float)[kept], truth.to_numpy(dtype=np.int64)[kept], list(frame.columns)


def scene(model: Any, x: Any, y: Any, members: int, names: list[str], **more: Any) -> Any:
    """The model fitted on the first `members` rows, the others held out."""
    from temper.core.attack import Scene
    from temper.core.data import Data
    from temper.core.schema import Column, Schema
    from temper.engine.fitting import fit_each
    from temper.targets import open_target

    train = Data(x=x[:members], y=y[:members])
    target = open_target(model.fit(train.x, train.y))
    return Scene(
        x=x[members:],
        y=y[members:],
        ids=np.arange(members, len(x)),
        schema=Schema(columns=tuple(Column(name=name) for name in names)),
        kind=target.kind,
        train=train,
        target=target,
        fit=partial(fit_each, target),
        **more,
    )
