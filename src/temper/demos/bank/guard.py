"""The layers in front of the models and behind them: the stages that a gateway runs, asked about a day at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.quota import QuotaConfig
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.serving import Scoring, ServingStage
from temper.core.stage import Level
from temper.demos.bank.people import ordinal
from temper.guard.serving.profile import Profile
from temper.guard.serving.quota import Quota
from temper.guard.serving.stages.anomaly import Anomaly
from temper.guard.serving.stages.extraction import Extraction
from temper.guard.serving.stages.output import Output

Array = np.ndarray[Any, Any]
DAY = 86_400.0
_FITTED, _TOGETHER, _BUSY, _STRANGE = 20_000, 64, 3, 0.001
_HORIZON = 200
"""Payments of one account within which its edge-search is told from an honest life: a gateway's client asks more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What a bank sees of a day's payments: everything but who is behind them."""

    rows: Array
    amount: Array
    account: Array

    def __len__(self) -> int:
        return len(self.amount)

    @property
    def moment(self) -> Array:
        """The share of the day that is over at each."""
        return np.arange(len(self)) / max(len(self), 1)


def profile(rows: Array, schema: Schema, scores: Array) -> Profile:
    """What the stages hold payments against, from the past, evenly over it."""
    return Profile.fit(_some(rows), schema, _some(scores))


def _some(rows: Array) -> Array:
    at = np.linspace(0, len(rows) - 1, min(len(rows), _FITTED)).astype(np.int64)
    return rows[at].astype(np.float64)


@dataclass(slots=True, kw_only=True, eq=False)
class Stages:
    """Anomaly, extraction and output, as a gateway has them, of one profile. An anomaly and an account that seems to
    search go to people; a score that is none blocks.
    """

    profile: Profile
    anomaly: Anomaly
    extraction: Extraction
    output: Output

    @staticmethod
    def of(found: Profile) -> Stages:
        """The stages of a profile; every account is a client by itself."""
        steps = {"review": 0.01, "block": 0.001}
        return Stages(
            profile=found,
            anomaly=Anomaly(profile=found),
            extraction=Extraction(profile=found, steps=steps, horizon=_HORIZON, hold=3.0 * DAY, clients=20_000),
            output=Output(profile=found),
        )

    def learn(self, rows: Array, schema: Schema) -> None:
        """What is strange from now on. What is known of each account stays."""
        x, names, room = _some(rows), self.anomaly.detectors, Room("temper.detectors")
        states = {name: room.build(name, {"rate": _STRANGE}).fit(x, schema) for name in names}
        self.profile = replace(self.profile, states={**self.profile.states, **states})
        self.anomaly = Anomaly(profile=self.profile)

    def strange(self, rows: Array) -> Array:
        """Levels (n,): the rows that alarm a detector."""
        return objections(self.anomaly, rows, None)

    def searching(self, seen: Seen, number: int) -> Array:
        """Levels (n,) of accounts that pay often enough today to search; each is asked once, with all of its rows."""
        levels = np.zeros(len(seen), dtype=np.int64)
        order = np.argsort(seen.account, kind="stable")
        who, start, many = np.unique(seen.account[order], return_index=True, return_counts=True)
        for one in np.flatnonzero(many >= _BUSY):
            at = order[start[one] : start[one] + many[one]]
            asked = _scoring(seen.rows[at], None, str(who[one]), number * DAY)
            levels[at] = self.extraction.check(asked).level
        return levels

    def senseless(self, rows: Array, scores: Array) -> Array:
        """Levels (n,): BLOCK where the score is no score."""
        return objections(self.output, rows, scores)


@dataclass(slots=True, kw_only=True, eq=False)
class Limit:
    """The quota of every account on a day."""

    most: int = 5
    _quota: Quota = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.set(self.most)

    def set(self, most: int) -> None:
        """From now on so many; what was counted today is forgotten."""
        self.most = most
        self._quota = Quota(config=QuotaConfig(per_day=most))

    def refused(self, seen: Seen, number: int) -> Array:
        """Which payments (n,) are beyond it. Accounts that cannot reach it today need not be asked about."""
        refused = np.zeros(len(seen), dtype=bool)
        busy = np.unique(seen.account[ordinal(seen.account) > self.most])
        for at in np.flatnonzero(np.isin(seen.account, busy)):
            refused[at] = self._quota.take(str(seen.account[at]), (number + seen.moment[at]) * DAY) > 0.0
        return refused


def objections(stage: ServingStage, rows: Array, scores: Array | None) -> Array:
    """The level a stage gives to each row. It judges a request as a whole, so requests of many rows are cut in two
    where it objects, until it objects to one row.
    """
    levels = np.zeros(len(rows), dtype=np.int64)
    todo = [slice(start, min(start + _TOGETHER, len(rows))) for start in range(0, len(rows), _TOGETHER)]
    while todo:
        part = todo.pop()
        level = stage.check(_scoring(rows[part], None if scores is None else scores[part])).level
        if level is Level.ALLOW:
            continue
        if part.stop - part.start == 1:
            levels[part] = level
            continue
        middle = (part.start + part.stop) // 2
        todo += [slice(part.start, middle), slice(middle, part.stop)]
    return levels


def _scoring(rows: Array, scores: Array | None, client: str = "", at: float = 0.0) -> Scoring:
    return Scoring(rows=rows, client=client, request="", at=at, deadline=at + 1.0, scores=scores)
