"""The layers in front of the models and behind them: the stages that a gateway runs, asked about a day at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.quota import QuotaConfig
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.serving import Scoring, ServingStage
from temper.core.stage import Level
from temper.demos.bank.people import ordinal
from temper.guard.serving.profile import ON_ROWS, ON_SCORES, Profile
from temper.guard.serving.quota import Quota
from temper.guard.serving.stages.anomaly import Anomaly
from temper.guard.serving.stages.extraction import Extraction
from temper.guard.serving.stages.output import Output

Array = np.ndarray[Any, Any]
DAY = 86_400.0
_FITTED, _TOGETHER, _BUSY, _STRANGE = 20_000, 64, 3, 0.001
_STREAM = "stream.extraction"
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


@dataclass(slots=True, kw_only=True, eq=False)
class Stages:
    """Anomaly, extraction and output, as a gateway has them, each where it stands. A strange payment and an account
    that seems to search go to people; a score that is none blocks.
    """

    profile: Profile
    anomaly: Anomaly | None = None
    extraction: Extraction | None = None
    output: Output | None = None

    @staticmethod
    def of(names: Collection[str], rows: Array, schema: Schema, scores: Array) -> Stages:
        """Those of `names`, of what was usual in these rows; every account is a client by itself."""
        found = Profile(columns=schema.names, states=_states(names, rows, schema, scores))
        return Stages(
            profile=found,
            anomaly=Anomaly(profile=found) if "anomaly" in names else None,
            extraction=_following(found) if "extraction" in names else None,
            output=Output(profile=found) if "output" in names else None,
        )

    def learn(self, rows: Array, schema: Schema) -> None:
        """What is strange from now on. What is known of each account stays."""
        if self.anomaly is not None:
            states = _states(("anomaly",), rows, schema, np.zeros(0))
            self.profile = replace(self.profile, states={**self.profile.states, **states})
            self.anomaly = Anomaly(profile=self.profile)

    def strange(self, rows: Array) -> Array:
        """Levels (n,): the rows that alarm a detector."""
        return objections(self.anomaly, rows, None)

    def searching(self, seen: Seen, number: int) -> Array:
        """Levels (n,) of accounts that pay often enough today to search; each is asked once, with all of its rows."""
        levels = np.zeros(len(seen), dtype=np.int64)
        if self.extraction is None:
            return levels
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


def _states(names: Collection[str], rows: Array, schema: Schema, scores: Array) -> dict[str, Any]:
    """What the stages' detectors hold payments against, evenly over the past."""
    room, x = Room("temper.detectors"), _some(rows)
    states: dict[str, Any] = {}
    if "anomaly" in names:
        states |= {name: room.build(name, {"rate": _STRANGE}).fit(x, schema) for name in ON_ROWS if name != _STREAM}
    if "extraction" in names:
        states[_STREAM] = room.build(_STREAM, {}).fit(x, schema)
    if "output" in names:
        states[ON_SCORES] = room.build(ON_SCORES, {}).fit(_some(scores)[:, None], schema)
    return states


def _some(rows: Array) -> Array:
    at = np.linspace(0, len(rows) - 1, min(len(rows), _FITTED)).astype(np.int64)
    return rows[at].astype(np.float64)


def _following(found: Profile) -> Extraction:
    return Extraction(profile=found, steps={"review": 0.001}, horizon=_HORIZON, hold=3.0 * DAY, clients=20_000)


def objections(stage: ServingStage | None, rows: Array, scores: Array | None) -> Array:
    """The level a stage gives to each row. It judges a request as a whole, so requests of many rows are cut in two
    where it objects, until it objects to one row.
    """
    levels = np.zeros(len(rows), dtype=np.int64)
    if stage is None:
        return levels
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
