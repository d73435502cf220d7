"""The guarded system in this process: the very layers that temper.yaml sets, around the model, by a simulated clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.config.serving import Serving
from temper.core.campaign import DAY
from temper.core.data import Data
from temper.core.serving import Answer, Scoring
from temper.core.stage import Decision, Level
from temper.core.system import Protected
from temper.core.target import Recipe
from temper.engine.campaign.door import Once, Told
from temper.engine.fitting import fit_of, fits
from temper.guard.serving import parts
from temper.guard.serving.assembled import Kept, TableGuard, assembled, unrecorded
from temper.guard.serving.pipeline import Pipeline, Refuses
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
    _guard: TableGuard | None = field(default=None, init=False, repr=False)
    _pipeline: Pipeline | None = field(default=None, init=False, repr=False)
    _quota: Quota | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        system = self.system
        guard = self._guard = None if self.serving is None else TableGuard.of(system, self.serving)
        model = served(system.target, system.data.x, system.threshold) if guard is None else guard.model
        self._model = Remembered(served=model, once=self.once, again=system.target.stochastic)
        if guard is None:
            return
        self._pipeline = assembled(guard, self._model, Kept(), unrecorded)
        self._pipeline.clock = lambda: self._now
        if guard.quota is not None and guard.acts("quota"):
            self._quota = Quota(config=guard.quota)

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
        """Those that the bounds let through are scored at once."""
        self._model.expect(rows[~self._outside(rows)])

    def ask(self, row: Array, account: str, pace: float) -> Told:
        """What the guard makes of this row."""
        self._now += pace
        self._trained()
        self._number += 1
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
        """They are trained on where the system is retrained, can be, and its training rows are there."""
        if not (self.system.exposure.retrained and self.system.train is not None and fits(self.system.target)):
            return 0
        self._taught.append((x, y))
        return len(x)

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
        if not self._taught or self.system.train is None:
            return
        x, y = (np.concatenate([one[at] for one in self._taught]) for at in (0, 1))
        train = self.system.train
        data = Data(x=np.concatenate([train.x, x]), y=np.concatenate([train.y, y]))
        self._taught = []
        target = fit_of(self.system.target)(data, Recipe(seed=int(today)))
        self.system = replace(self.system, target=target, train=data)
        self._model.served = served(target, self.system.data.x, self.system.threshold)
