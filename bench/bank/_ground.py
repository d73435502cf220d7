"""Small campaigns on either world of the bank: what is tried before fixed layers, and what each says of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.layers import Attempts
from temper.core.seed import Draws
from temper.core.stage import Level
from temper.demos.bank.guard import Stages
from temper.demos.bank.models import fitted
from temper.demos.bank.world import Payments, Told, World

Array = np.ndarray[Any, Any]
Layer = Callable[[Payments, int], Array]
_PAST = 2  # days before a campaign, so that accounts are not empty
_HONEST = 20  # honest payments of a day that the layers are asked about; the others go through
_TRAINED, _SEED = 24, 10**6
_DECLINED, _LARGE = 0.01, 0.997


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """A world (`make` takes seed, per_day, adaptive), and how small its campaigns of `days` are: payments a day before
    the bank's layers, and before PLANTED ones, where orders are judged.
    """

    name: str
    make: Callable[..., World]
    per_day: int
    planted: int
    days: int = 10
    options: Mapping[str, Any] = field(default_factory=dict)

    def world(self, seed: int, adaptive: bool) -> World:
        """One with its own customers and fraudsters."""
        made = self.make(seed=seed, per_day=self.per_day, adaptive=adaptive, **self.options)
        made.history(_PAST)
        return made

    def attempts(self, seed: int, layers: Mapping[str, Layer], standing: Collection[str], adaptive: bool) -> Attempts:
        """What all who are there try, told only what the layers of `standing` do; what every layer says of it."""
        world, names = self.world(seed, adaptive), tuple(layers)
        acts = np.array([name in standing for name in names], dtype=bool)
        days, told = [], None
        for number in range(self.days):
            whole = world.day(number, told)
            asked = np.flatnonzero(whole.fraud | (np.cumsum(~whole.fraud) <= _HONEST))
            some = taken(whole, asked)
            stops = np.column_stack([layer(some, number) for layer in layers.values()])
            told = np.full(len(whole), Told.PASSED)
            told[asked[(stops & acts).any(axis=1)]] = Told.DECLINED
            days.append((some, stops))
        return _attempts(names, days, adaptive)

    @cached_property
    def guard(self) -> dict[str, Layer]:
        """The bank's own kinds of layer, made once from another past and left as they are: an amount that is hardly
        ever seen, a row unlike all others, and the score of the bank's model.
        """
        world = self.make(seed=_SEED, per_day=max(self.per_day, 2_000), adaptive=False)
        past = world.history(_TRAINED)
        rows, fraud = (np.concatenate([getattr(day, name) for day in past]) for name in ("rows", "fraud"))
        model = fitted("deep", rows, fraud.astype(np.int64), Draws(_SEED, "bench.bank"), 0)
        scores = model.scores(rows)
        stages = Stages.of(("anomaly",), rows, world.schema, scores)
        edge, large = np.quantile(scores, 1.0 - _DECLINED), np.quantile(rows[:, world.schema.index("amount")], _LARGE)
        return {
            "large amount": lambda day, number: day.amount > large,
            "anomaly": lambda day, number: stages.strange(day.rows) != Level.ALLOW,
            "model": lambda day, number: model.scores(day.rows) >= edge,
        }


def taken(day: Payments, at: Array) -> Payments:
    """Some payments of a day."""
    return Payments(**{name: getattr(day, name)[at] for name in Payments.__slots__})


def _attempts(names: tuple[str, ...], days: list[tuple[Payments, Array]], adaptive: bool) -> Attempts:
    def column(name: str) -> Array:
        return np.concatenate([getattr(day, name) for day, _ in days])

    fraud, actor = column("fraud"), column("actor")
    alone = int(actor.max(initial=0)) + 1 + np.arange(len(actor))
    return Attempts(
        layers=names,
        stops=np.concatenate([stops for _, stops in days]),
        worth=np.where(fraud, column("amount"), 1.0),
        actor=np.where(fraud, actor, alone),
        honest=~fraud,
        adaptive=adaptive,
        exclusive=True,
    )


def passing(attempts: Attempts, standing: Collection[str]) -> tuple[float, float]:
    """Of those who attack: the share of what each tried that gets through, each counted once; and the dollars taken."""
    mine = attempts.of(~attempts.honest & (attempts.worth > 0))
    through = mine.worth * mine.passed(standing)
    place = np.unique(mine.actor, return_inverse=True)[1]
    shares = np.bincount(place, through) / np.bincount(place, mine.worth)
    return float(shares.mean()), float(through.sum())


def grounds() -> Iterator[Ground]:
    """Both worlds: 13 and 33 fraudsters before the bank's layers, and some 60 before PLANTED ones."""
    from temper.demos.bank.simulated import Simulated
    from temper.demos.held_out_bank import HeldOutWorld

    yield Ground(name="bank", make=Simulated, per_day=3_000, planted=12_000)
    yield Ground(name="held out", make=HeldOutWorld, per_day=400, planted=800, options={"fraud": 0.2})
