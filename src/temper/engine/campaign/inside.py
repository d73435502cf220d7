"""The guarded system in this process: the very layers that temper.yaml sets, around the model, by a simulated clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.config.serving import Serving, under
from temper.core.campaign import DAY
from temper.core.serving import Answer, Scoring
from temper.core.stage import Decision, Level
from temper.core.system import Protected
from temper.engine.campaign.door import Once, Told
from temper.engine.campaign.learning import Lessons
from temper.guard.serving import parts
from temper.guard.serving.assembled import Kept, TableGuard, assembled, unrecorded
from temper.guard.serving.breaker import FORCED
from temper.guard.serving.pipeline import Pipeline, Refuses
from temper.guard.serving.quota import Quota
from temper.store.control import Control
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
    _ready: dict[bytes, float] = field(default_factory=dict, init=False, repr=False)

    def score(self, rows: Array) -> Array:
        """Scores (n,) of rows. The model is asked once: about those that were not expected and the journal does not
        know.
        """
        keys = self._keys(rows)
        ready = {key: self._ready.pop(key) for key in set(keys) & self._ready.keys()}
        kept = self._kept(key for key in keys if key not in ready)
        new = self._new({key: row for key, row in zip(keys, rows, strict=True) if key not in ready and key not in kept})
        self.reused += len(rows) - len(ready) - len(new)
        found = ready | kept | new
        return np.array([found[key] for key in keys])

    def expect(self, rows: Array) -> None:
        """Ask the model once about rows that are about to come. Where one of them is too much for it, all of them wait
        for their turn: then it is known which.
        """
        if self.again:
            return
        keys = self._keys(rows)
        kept = self._kept(keys)
        with suppress(Exception):
            self._ready = self._new({key: row for key, row in zip(keys, rows, strict=True) if key not in kept})

    async def ask(self, rows: Array, seconds: float, trace: str = "") -> Array:
        """The same; there is no hurry by a simulated clock."""
        return self.score(rows)

    def _keys(self, rows: Array) -> list[bytes]:
        digest = self.served.digest.encode()
        return [self.once.key(digest, row.tobytes(), repeats=self.again) for row in rows]

    def _kept(self, keys: Iterable[bytes]) -> dict[bytes, float]:
        told = ((key, self.once.journal.get(key)) for key in keys)
        return {key: one.score for key, one in told if one is not None and one.score is not None}

    def _new(self, rows: dict[bytes, Array]) -> dict[bytes, float]:
        """Scores of rows that nobody has asked about, kept before anybody is told."""
        scores = self.served.score(np.stack(list(rows.values()))).tolist() if rows else []
        self.asked += len(rows)
        found = dict(zip(rows, scores, strict=True))
        for key, score in found.items():
            if np.isfinite(score):
                self.once.journal.put(key, Told(at=0.0, score=score))
        return found


def _objection(one: Decision) -> str:
    """Which stage objected; one in shadow is written down as well, and stops nobody."""
    if one.level > Level.ALLOW:
        return one.stage
    return f"{one.stage} (shadow)" if one.reason.startswith("shadow,") else ""


@dataclass(slots=True, kw_only=True, eq=False)
class Inside:
    """One request at a time through bounds, quota and pipeline. Without `serving` there is the model alone.

    Labels that attackers have told are learnt from at the end of the day, as `lessons` has it.
    """

    system: Protected
    once: Once
    serving: Serving | None = None
    lessons: Lessons = field(default_factory=Lessons)
    simulated: bool = True
    _now: float = field(default=0.0, init=False)
    _number: int = field(default=0, init=False)
    _today: float = field(default=0.0, init=False)
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner, init=False, repr=False)
    _model: Remembered = field(init=False, repr=False)
    _guard: TableGuard | None = field(default=None, init=False, repr=False)
    _pipeline: Pipeline | None = field(default=None, init=False, repr=False)
    _quota: Quota | None = field(default=None, init=False, repr=False)
    _kept: Kept = field(default_factory=Kept, init=False, repr=False)
    _written: tuple[Serving | None, float | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        system, self._written = self.system, (self.serving, self.system.threshold)
        guard = None if self.serving is None else TableGuard.of(system, self.serving)
        model = served(system.target, system.data.x, system.threshold) if guard is None else guard.model
        self._model = Remembered(served=model, once=self.once, again=system.target.stochastic)
        if guard is None:
            return
        self._guarded(guard)

    def follow(self, control: Control) -> None:
        """What people have set since in this store, as a gateway follows it: policy, breaker and kill switch."""
        serving, threshold = self._written
        if self._guard is None or serving is None:
            return
        policy, breaker, kill = (control.records.current(kind) for kind in ("policy", "breaker", "kill"))
        if policy is not None and policy.value is not None:
            serving, lowered = under(serving, policy.value, f"policy {policy.seq} of the control store")
            threshold = threshold if lowered is None else lowered
        self.system, self.serving = replace(self.system, threshold=threshold), serving
        pipeline = self._guarded(self._guard.under(self.system, serving, self._model.served))
        pipeline.stopped = bool(kill is not None and kill.value)
        if breaker is not None:
            getattr(pipeline.breaker, FORCED[str(breaker.value)])(self._now)

    def _guarded(self, guard: TableGuard) -> Pipeline:
        """From now on this guard; parts that would be made in the same way keep what they remember."""
        self._guard, self._kept = guard, Kept(old=self._kept.parts)
        self._pipeline = pipeline = assembled(guard, self._model, self._kept, unrecorded)
        pipeline.clock = lambda: self._now
        config, self._quota = guard.quota, None
        if config is not None and guard.acts("quota"):
            self._quota = self._kept.part("quota", config, lambda: Quota(config=config))
        return pipeline

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

    def expect(self, rows: Array) -> None:
        """Those that the bounds let through are scored at once, by the model of this day."""
        self._trained()
        self._model.expect(rows[~self._outside(rows)])

    def ask(self, row: Array, account: str, pace: float) -> Told:
        """What the guard makes of this row."""
        self._now += pace
        self._trained()
        self._number += 1
        told = self._answered(row, account)
        if told.status == 200:
            self.lessons.heard(row, account)
        return told

    def _answered(self, row: Array, account: str) -> Told:
        if self._outside(row[None])[0]:
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
        """Labels of rows that were answered; they are learnt from where the system learns."""
        return self.lessons.take(self.system, x, y)

    def close(self) -> None:
        """Let the event loop go."""
        self._runner.close()

    def _outside(self, rows: Array) -> Array:
        """Which rows (n,) the door refuses."""
        if self._guard is None or not self._guard.acts("bounds"):
            return np.zeros(len(rows), dtype=bool)
        return np.asarray(parts.outside(rows, self.system.schema))

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
        learnt = self.lessons.learnt(self.system, int(today))
        if learnt is not None:
            self.system = learnt
            self._model.served = served(learnt.target, learnt.data.x, learnt.threshold)
