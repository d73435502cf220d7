"""The layers of a table model's guard, each asked by itself: the very stages that the gateway asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from temper.config.serving import Serving
from temper.core.errors import TemperError
from temper.core.serving import Scoring
from temper.core.stage import Level
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.guard.serving import parts
from temper.guard.serving.assembled import TableGuard
from temper.guard.serving.quota import Quota

Rows = np.ndarray[Any, Any]
SCHEMA, QUOTA, DECIDE, MODEL = "schema", "quota", "decide", "model"
_OWN = (SCHEMA, QUOTA, DECIDE, MODEL)
OF_A_CLIENT = (QUOTA, *parts.EACH)
"""Those that remember what a client has asked before."""
PACE, PATIENCE, _LATEST = 1.0, 86_400.0, 60.0
"""Seconds between requests of a client, how long he waits where he is told to, and until when he is answered."""


def order_of(serving: Serving) -> tuple[str, ...]:
    """The layers as a request meets them, those of other packages among them. The model comes last: its threshold
    decides what nobody refused or handed on.
    """
    return (SCHEMA, QUOTA, *parts.stages(serving), DECIDE, MODEL)


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel(TableGuard):
    """A guard layer by layer: those that count, and those that count here `as_if` they did. `crashed` counts per layer
    the requests it failed on; such a request is stopped, as it is in the gateway.
    """

    as_if: tuple[str, ...] = ()
    crashed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, system: Protected, serving: Serving, as_if: Collection[str] = ()) -> Self:
        """The guard as it is written; layers named in `as_if` count although they are in shadow, or off."""
        if system.target.kind is not ScoreKind.PROBABILITIES or system.target.classes != 2:
            raise TemperError("layers are measured around a model of two classes that gives probabilities")
        if unknown := sorted(set(as_if) - set(order := order_of(serving))):
            raise TemperError(f"there is no layer {unknown[0]!r}", fix=f"there are {', '.join(order)}")
        return replace(super().of(system, serving), as_if=tuple(as_if))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The layers that count, in order."""
        acts = {SCHEMA: self.acts("bounds"), MODEL: True}
        return tuple(name for name in order_of(self.serving) if name in self.as_if or acts.get(name, self.acts(name)))

    @property
    def threshold(self) -> float:
        """The score from which a row is what the system looks for."""
        return 0.5 if self.system.threshold is None else self.system.threshold

    def session(self, client: str, standing: Collection[str] | None = None) -> Session:
        """A client nobody knows yet, before these layers (all of them, unless told otherwise)."""
        return Session(panel=self, client=client, standing=self.names if standing is None else tuple(standing))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What each layer of the panel says of each row (n, layers) as a `Level`, 0 where it does not stand; and scores."""

    levels: Rows
    scores: Rows

    @property
    def stops(self) -> Rows:
        """Which layers refuse a row or hand it to a person."""
        return np.asarray(self.levels >= Level.REVIEW)

    @property
    def asks(self) -> Rows:
        """Which layers hand it to a person."""
        return np.asarray(self.levels == Level.REVIEW)


class Session:
    """Requests of one row each by one client, in their order, with what the layers remember of him."""

    def __init__(self, *, panel: Panel, client: str, standing: tuple[str, ...]) -> None:
        self.panel, self.client, self.standing = panel, client, standing
        self.asked, self.objected = 0, set[str]()
        self._now = 0.0
        limits = panel.quota if QUOTA in standing else None
        self._quota = None if limits is None else Quota(config=limits)
        self.stages = {name: panel.stage(name) for name in standing if name not in _OWN}

    def ask(self, rows: Rows, when: Rows | None = None) -> Heard:
        """What every standing layer says of each row, whether or not another one has stopped it. `when` (n,) each was
        sent: nobody waits then; else each comes as soon as the one before it has been let in.
        """
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        levels = np.zeros((len(rows), len(self.panel.names)), dtype=np.int8)
        scores, (at, refused) = self._scores(rows), self._times(rows, when)
        for place, name in enumerate(self.panel.names):
            if name in self.standing:
                levels[:, place] = self._levels(name, rows, scores, at, refused)
                self.objected |= {name} if levels[:, place].any() else set()
        self.asked += len(rows)
        return Heard(levels=levels, scores=scores)

    def rest(self) -> None:
        """Ask nothing for as long as anybody waits, so that what is held for a while is held no more."""
        self._now += PATIENCE

    def _levels(self, name: str, rows: Rows, scores: Rows, at: Rows, refused: Rows) -> Rows:
        if name == SCHEMA:
            return np.where(parts.outside(rows, self.panel.system.schema), Level.BLOCK, 0)
        if name == QUOTA:
            return np.where(refused, Level.BLOCK, 0)
        if name == DECIDE:
            low, high = self.panel.review or (np.inf, -np.inf)
            return np.where((scores >= low) & (scores <= high), Level.REVIEW, 0)
        if name == MODEL:  # a score that is none is refused
            return np.where(scores < self.panel.threshold, 0, Level.BLOCK)
        found, alone = np.zeros(len(rows), dtype=np.int8), name in OF_A_CLIENT
        for low in range(0, len(rows), 1 if alone else max(len(rows), 1)):
            self._looked(name, rows, scores, at, (low, low + 1 if alone else len(rows)), found)
        return found

    def _looked(self, name: str, rows: Rows, scores: Rows, at: Rows, part: tuple[int, int], found: Rows) -> None:
        """As the gateway does: all together, and one by one where a stage objects or fails."""
        low, high = part
        try:
            now = float(at[low])
            scoring = Scoring(rows=rows[low:high], client=self.client, request="", at=now, deadline=now + _LATEST)
            scoring.scores = scores[low:high]
            level = self.stages[name].check(scoring).level
        except Exception:  # whatever a stage trips over must not let the request through
            level = Level.BLOCK
            self.panel.crashed[name] += high - low == 1
        if level is Level.ALLOW or high - low == 1:
            found[low:high] = level
            return
        middle = (low + high) // 2
        self._looked(name, rows, scores, at, (low, middle), found)
        self._looked(name, rows, scores, at, (middle, high), found)

    def _scores(self, rows: Rows) -> Rows:
        """What the model says; NaN where it fails."""
        try:
            return np.asarray(self.panel.model.score(rows), dtype=np.float64)
        except Exception:  # which row it was is found out one by one
            if len(rows) == 1:
                self.panel.crashed[MODEL] += 1
                return np.full(1, np.nan)
        return np.concatenate([self._scores(row[None]) for row in rows])

    def _times(self, rows: Rows, when: Rows | None) -> tuple[Rows, Rows]:
        """When each request comes, after it has waited, and whether it would wait for longer than anybody does."""
        found, refused = np.empty(len(rows)), np.zeros(len(rows), dtype=bool)
        for at in range(len(rows)):
            self._now = self._now + PACE if when is None else float(when[at])
            patience = PATIENCE if when is None else 0.0
            until, wait = self._now + patience, 0.0 if self._quota is None else self._quota.take(self.client, self._now)
            while self._quota is not None and 0 < wait <= until - self._now:
                self._now += wait
                wait = self._quota.take(self.client, self._now)
            found[at], refused[at] = self._now, wait > 0
        return found, refused
