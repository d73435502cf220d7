"""The payments of an hour: honest ones and frauds of the days after training, and what is planted among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.demos.day.plan import HOUR, Chapter, Hour

Array = np.ndarray[Any, Any]
POOL = "day.parquet"
_ONLINE = 1.0
"""How much likelier, in logarithms, an online payment is drawn where newer customers come."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Payments in order of time: rows (n, columns) of the schema, seconds since the day began, accounts, truths (1 is
    fraud), and which belong to the campaign.
    """

    x: Array
    at: Array
    accounts: Array
    y: Array
    planted: Array

    def __len__(self) -> int:
        return len(self.x)

    def part(self, which: slice) -> Batch:
        """Some of them."""
        names = ("x", "at", "accounts", "y", "planted")
        return Batch(**{name: getattr(self, name)[which] for name in names})


@dataclass(slots=True, kw_only=True, eq=False)
class Payments:
    """Draws hours from a pool of rows that the assessment has not seen; an hour has no row of the pool twice.
    `moved` are the campaign's rows, once there are some.
    """

    schema: Schema
    x: Array
    y: Array
    seed: int = 0
    moved: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def hour(self, hour: Hour) -> Batch:
        """The same seed gives the same hour, whatever came before."""
        rng = Draws(self.seed, "demos.day").generator(hour.number)
        many = round(hour.strength * hour.payments) if hour.chapter is Chapter.CAMPAIGN else 0
        chosen = rng.choice(len(self.x), hour.payments - many, replace=False, p=self._weights(hour))
        planted = rng.integers(len(self.moved), size=many) if many else np.zeros(0, dtype=np.int64)
        x = np.concatenate([self.x[chosen], *([self.moved[planted]] if many else [])])
        y = np.concatenate([self.y[chosen], np.ones(many, dtype=np.int64)])
        names = [f"a{one:05d}" for one in chosen] + [f"b{hour.number:02d}{at:03d}" for at in range(many)]
        order = rng.permutation(len(x))
        at = HOUR * (hour.number + np.sort(rng.random(len(x))))
        return Batch(x=x[order], at=at, accounts=np.array(names)[order], y=y[order], planted=order >= len(chosen))

    def _weights(self, hour: Hour) -> Array | None:
        """Where other customers come: those who have been customers for a short time, and online."""
        if hour.chapter is not Chapter.DRIFT:
            return None
        names = self.schema.names
        tenure, channel = (self.x[:, names.index(name)] for name in ("tenure_months", "channel"))
        place = np.argsort(np.argsort(tenure)) / len(tenure)
        online = self.schema.columns[names.index("channel")].categories.index("online")
        weights = np.exp(_ONLINE * (channel == online) - hour.strength * place)
        return np.asarray(weights / weights.sum())


def kept_out(folder: Path, seed: int) -> None:
    """Take half of the test payments, drawn at random, out of the assessment: the day is made of them."""
    import pandas as pd

    path = folder / "test.parquet"
    frame = pd.read_parquet(path)
    half = Draws(seed, "demos.day.half").uniform(np.arange(len(frame)), 0) < 0.5
    frame[~half].reset_index(drop=True).to_parquet(folder / POOL)
    frame[half].reset_index(drop=True).to_parquet(path)


def payments(system: Protected, folder: Path, seed: int) -> Payments:
    """The payments of the day, from what was kept out."""
    import pandas as pd

    from temper.demos import fraud

    rows = fraud.rows(pd.read_parquet(folder / POOL))
    return Payments(schema=system.schema, x=rows.x, y=np.asarray(rows.y), seed=seed)
