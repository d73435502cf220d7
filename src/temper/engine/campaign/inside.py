"""The guarded system in this process: the very layers that temper.yaml sets, around the model, by a simulated clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.config.serving import Serving
from temper.core.campaign import DAY
from temper.core.data import Data
from temper.core.serving import Answer, Mode, Scoring
from temper.core.stage import Decision, Level
from temper.core.system import Protected
from temper.core.target import Recipe
from temper.engine.campaign.door import Once, Told
from temper.engine.fitting import fit_of, fits
from temper.guard.serving import parts
from temper.guard.serving.assembled import Kept, assembled
from temper.guard.serving.pipeline import Pipeline, Refuses, Waiting
from temper.guard.serving.quota import Quota
from temper.targets.served import Served, served

Array = np.ndarray[Any, Any]
_TURNED, _WRONG = 429, 422


@dataclass(slots=True, kw_only=True, eq=False)
class Remembered:
    """The model behind the journal: no row is scored twice, in this process or the one before."""

    served: Served
    once: Once
    again: bool = False
    asked: int = 0
    reused: int = 0
    inline: bool = True

    def score(self, rows: Array) -> Array:
        """Scores (n,) of rows."""
        return np.array([self._one(row) for row in rows])

    async def ask(self, rows: Array, seconds: float, trace: str = "") -> Array:
        """The same; there is no hurry by a simulated clock."""
        return self.score(rows)

    def _one(self, row: Array) -> float:
        key = self.once.key(self.served.digest.encode(), row.tobytes(), repeats=self.again)
        told = self.once.journal.get(key)
        if told is not None and told.score is not None:
            self.reused += 1
            return told.score
        self.asked += 1
        score = float(self.served.score(row[None])[0])
        if np.isfinite(score):
            self.once.journal.put(key, Told(at=0.0, score=score))
        return score


def _objection(one: Decision) -> str:
    """Which stage objected; one in shadow is written down as well, and stops nobody."""
    if one.level > Level.ALLOW:
        return one.stage
    return f"{one.stage} (shadow)" if one.reason.startswith("shadow,") else ""


def _unrecorded(scoring: Scoring, waiting: Waiting) -> None:
    waiting.set_result(-1)


@dataclass(slots=True, kw_only=True, eq=False)
class Inside:
    """One request at a time through bounds, quota and pipeline. Without `serving` there is the model alone.

    Labels that attackers have taken are trained on at the end of the day.
    """

    system: Protected
    once: Once
    serving: Serving | None = None
    simulated: bool = True
    _now: float = field(default=0.0, init=False)
    _number: int = field(default=0, init=False)
    _taught: list[tuple[Array, Array]] = field(default_factory=list, init=False, repr=False)
    _today: float = field(default=0.0, init=False)
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner, init=False, repr=False)
    _model: Remembered = field(init=False, repr=False)
    _pipeline: Pipeline | None = field(default=None, init=False, repr=False)
    _quota: Quota | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        system, serving = self.system, self.serving
        found = served(system.target, system.data.x, system.threshold)
        self._model = Remembered(served=found, once=self.once, again=system.target.stochastic)
        if serving is None:
            return
        profile, kept, options = parts.profile(system, serving, found), Kept(), parts.options_of(serving)
        self._pipeline = assembled(system, serving, profile, self._model, found.digest, kept, _unrecorded)
        self._pipeline.clock = lambda: self._now
        config = parts.quota(options)
        if config is not None and parts.mode_of(serving, "quota") is Mode.ENFORCE:
            self._quota = Quota(config=config)

    @property
    def asked(self) -> int:
        """Rows that the model scored."""
        return self._model.asked

    @property
    def reused(self) -> int:
        """Rows whose score was kept."""
        return self._model.reused

    @property
    def now(self) -> float:
        """Seconds since the campaign began."""
        return self._now

    @property
    def day(self) -> float:
        """The campaign begins at midnight."""
        return self._now

    def wait(self, seconds: float) -> None:
        """Nothing sleeps."""
        self._now += max(0.0, seconds)

    def ask(self, row: Array, account: str, pace: float) -> Told:
        """What the guard makes of this row."""
        self._now += pace
        self._trained()
        self._number += 1
        if self.serving is not None and self._outside(row):
            return Told(at=self._now, status=_WRONG, why=("bounds",))
        if self._quota is not None and (after := self._quota.take(account, self._now)):
            return Told(at=self._now, status=_TURNED, after=min(after, DAY), why=("quota",))
        if self._pipeline is None or self.serving is None:
            return self._bare(row)
        until = self._now + self.serving.deadline
        scoring = Scoring(rows=row[None], client=account, request=str(self._number), at=self._now, deadline=until)
        try:
            return self._told(self._runner.run(self._pipeline.answer(scoring)))
        except Refuses as refused:
            return Told(at=self._now, status=refused.status, after=refused.after, why=("pipeline",))

    def teach(self, x: Array, y: Array) -> int:
        """They are trained on where the system is retrained, can be, and its training rows are there."""
        if not (self.system.exposure.retrained and self.system.train is not None and fits(self.system.target)):
            return 0
        self._taught.append((x, y))
        return len(x)

    def close(self) -> None:
        """Let the event loop go."""
        self._runner.close()

    def _outside(self, row: Array) -> bool:
        outside = bool(parts.outside(row[None], self.system.schema)[0])
        return outside and parts.bounds(self.serving or Serving()) is Mode.ENFORCE

    def _bare(self, row: Array) -> Told:
        score = float(self._model.score(row[None])[0])
        return Told(at=self._now, score=score, flagged=score >= (self.system.threshold or 0.0))

    def _told(self, answer: Answer) -> Told:
        """As the gateway tells it: of a blocked request nothing but that, of a revised one the decision alone."""
        level = answer.levels[0]
        known = len(answer.scores) > 0
        over = bool(known and answer.scores[0] >= (self.system.threshold or 0.0))
        tells = known and level is not Level.REVISE and self.system.exposure.returns == "score"
        return Told(
            at=self._now,
            score=float(answer.scores[0]) if tells else None,
            level=int(level),
            flagged=over or level >= Level.REVIEW or not known,
            source=answer.source.value,
            why=tuple(filter(None, map(_objection, answer.decisions))),
        )

    def _trained(self) -> None:
        """At the end of a day the model is fitted anew where labels have come; its threshold stays."""
        today = self._now // DAY
        if today == self._today:
            return
        self._today = today
        if not self._taught or self.system.train is None:
            return
        x, y = (np.concatenate([one[at] for one in self._taught]) for at in (0, 1))
        train = self.system.train
        data = Data(x=np.concatenate([train.x, x]), y=np.concatenate([train.y, y]))
        self._taught = []
        target = fit_of(self.system.target)(data, Recipe(seed=int(today)))
        self.system = replace(self.system, target=target, train=data)
        self._model.served = served(target, self.system.data.x, self.system.threshold)
