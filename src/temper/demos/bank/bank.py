"""The bank: it decides, is told late what was fraud, watches itself, and learns; it never sees who is behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.incident import Incident, Kind, Severity
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.stage import Level
from temper.core.watch import Kind as Change
from temper.demos.bank.book import MATURE, MEMORY, Book
from temper.demos.bank.guard import Limit, Seen, Stages
from temper.demos.bank.models import NONE, Model, fitted
from temper.demos.bank.plan import LAYERS, Plan
from temper.demos.bank.rules import Rules
from temper.demos.bank.watch import OUTAGE, REPORTS, Incidents, Monitor, Playbook, alarm, surges
from temper.kernels.contest import Contest, Winner, contest

Array = np.ndarray[Any, Any]
WEEKLY = "every week"
DECLINES, LOOKS = 0.010, 0.010
"""Shares of payments whose score declines them, and of those below whose score is undecided."""
_FEWEST = 5
"""Known frauds without which there is nothing to learn."""
_TIGHT, _STRICT, _WEEK, _TRIAL = 2.0, 3, 7, 3
"""Under attack so many times as many are declined and so many payments of an account are let through a day; days
between two lessons, and at least between a lesson and one that drift asks for.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """What every layer answers to each payment (n, layers) as a `Level`, and the score (n,) it was judged by; NaN where
    there was none.
    """

    levels: Array
    scores: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What became of a night's learning: the day, why, from how many payments and frauds, and the contest before it."""

    day: int
    why: str
    rows: int
    frauds: int
    contest: Contest | None
    champion: str


@dataclass(slots=True, kw_only=True, eq=False)
class Bank:
    """Opened with a past; then, every day: `decide`, `hear` what is found out, and `night`."""

    schema: Schema
    plan: Plan
    folder: Path
    book: Book = field(default_factory=Book)
    incidents: Incidents = field(default_factory=Incidents)
    lessons: list[Lesson] = field(default_factory=list)
    champion: Model = field(default=NONE, init=False)
    challenger: Model = field(default=NONE, init=False)
    threshold: float = field(default=1.0, init=False)
    grey: float = field(default=1.0, init=False)
    _stages: Stages | None = field(default=None, init=False)
    _limit: Limit = field(default_factory=Limit, init=False)
    _rules: Rules = field(default_factory=Rules, init=False)
    _monitor: Monitor = field(init=False)
    _playbook: Playbook = field(init=False)
    _followed: int = field(default=0, init=False)
    _learnt: int = field(default=0, init=False)
    _own: float = field(default=1.0, init=False)
    _reports: list[int] = field(default_factory=list, init=False)
    _wanted: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._monitor, self._playbook = Monitor(schema=self.schema), Playbook(folder=self.folder)

    def open(self, past: Sequence[tuple[int, Seen]]) -> None:
        """After its past was written and heard of: the first models, the stages, and what is usual."""
        self._rules.learn([seen for _, seen in past])
        self._learn(0, "the bank opens", "deep", "shallow")

    def decide(self, number: int, seen: Seen) -> Said:
        """All layers that stand, each by itself."""
        scores = self._scores(number, seen)
        levels = np.zeros((len(seen), len(LAYERS)), dtype=np.int8)
        for at, name in enumerate(LAYERS):
            if name in self.plan.controls:
                levels[:, at] = self._asked(name, number, seen, scores)
        return Said(levels=levels, scores=scores)

    def looked(self, days: Array, places: Array, fraud: Array) -> None:
        """What people found of payments that waited: fraud does not go through."""
        self.book.note(days, places, fraud, ~fraud)

    def hear(self, number: int, days: Array, places: Array) -> None:
        """What victims report on a day."""
        self.book.note(days, places, np.True_)
        self._rules.reported(number, self.book.accounts(days, places))
        self._reports.append(len(days))

    def night(self, number: int, seen: Seen, said: Said) -> None:
        """After the day: watch, respond, learn."""
        self._rules.count(seen)
        if "monitoring" in self.plan.controls:
            self._watch(number, seen, said)
            for over in self.incidents.night(number):
                for text in self._playbook.undo(over):
                    self.incidents.tell(over.id, number, Kind.NOTE, text)
            self._follow()
        if "retraining" in self.plan.controls and self._due(number):
            self._lesson(number + 1)
        elif "challenger" in self.plan.controls and (number + 1) % _WEEK == 0:
            self._contested(number + 1)

    def close(self) -> None:
        """Nothing is held any more."""
        self._playbook.close()

    # -- deciding ---------------------------------------------------------------------------------------------------

    def _scores(self, number: int, seen: Seen) -> Array:
        """The champion's; while it does not answer the challenger's, or none."""
        scores = self.champion.scores(seen.rows)
        day, start, end = self.plan.outage
        if number == day:
            away = (seen.moment >= start) & (seen.moment < end)
            scores[away] = self.challenger.scores(seen.rows[away]) if "fallback" in self.plan.controls else np.nan
        return scores

    def _asked(self, name: str, number: int, seen: Seen, scores: Array) -> Array:
        if name == "quota":
            return self._limit.refused(seen, number) * Level.BLOCK
        if name == "rules":
            return self._rules.object(number, seen) * Level.BLOCK
        if name == "model":
            return (scores >= self.threshold) * Level.BLOCK
        if name == "review":
            return (scores >= self.grey) * Level.REVIEW
        return self._staged(name, number, seen, scores)

    def _staged(self, name: str, number: int, seen: Seen, scores: Array) -> Array:
        stages = self._stages
        if stages is None:
            return np.zeros(len(seen))
        if name == "anomaly":
            return self._people(stages.strange(seen.rows))
        if name == "extraction":
            return self._people(stages.searching(seen, number))
        return stages.senseless(seen.rows, scores)

    def _people(self, levels: Array) -> Array:
        """Where nobody looks, what somebody would look at is declined."""
        if "review" in self.plan.controls:
            return levels
        return np.where(levels == Level.REVIEW, Level.BLOCK, levels)

    # -- watching and responding ------------------------------------------------------------------------------------

    def _watch(self, number: int, seen: Seen, said: Said) -> None:
        known = np.isfinite(said.scores)
        found = alarm(self._monitor.look(number, seen, said.scores, known))
        if found is not None:
            source, title, severity = found
            self._opened(number, self.incidents.saw(number, source, title, severity), source == Change.ATTACK.value)
        if surges(self._reports):
            title = f"{self._reports[-1]} frauds are reported on one day, more than the days before promise"
            self._opened(number, self.incidents.saw(number, REPORTS, title, Severity.MAJOR), True)
        if number == self.plan.outage[0]:
            title = "the champion does not answer"
            self._opened(number, self.incidents.saw(number, OUTAGE, title, Severity.CRITICAL), None)

    def _opened(self, number: int, one: Incident | None, attack: bool | None) -> None:
        """What is done about a new incident: against an attack the playbook, about a change a lesson."""
        if one is None or "response" not in self.plan.controls:
            return
        if attack:
            tight = self._quantile(number + 1, _TIGHT)
            for text in self._playbook.run(one, self.threshold, min(tight, self.threshold), _STRICT):
                self.incidents.tell(one.id, number, Kind.PLAYBOOK, text)
        if attack is not None and "retraining" in self.plan.controls:
            self._wanted = one.title
            self.incidents.tell(one.id, number, Kind.NOTE, "a lesson for the models is asked for")

    def _follow(self) -> None:
        """As a gateway follows the store: the threshold and the quota that hold now."""
        policy = self._playbook.policy() if "response" in self.plan.controls else {}
        self.threshold = min(self._own, policy.get("threshold", self._own))
        most = int(policy.get("quota", {}).get("burst", Limit().most))
        if most != self._limit.most:
            self._limit.set(most)

    # -- learning ---------------------------------------------------------------------------------------------------

    def _due(self, number: int) -> bool:
        since = number + 1 - self._learnt
        return since >= _WEEK or (bool(self._wanted) and since >= _TRIAL)

    def _lesson(self, day: int) -> None:
        why, self._wanted = self._wanted or WEEKLY, ""
        found = self._contested(day)
        self._learn(day, why, self.champion.recipe, self.challenger.recipe, found)

    def _contested(self, day: int) -> Contest | None:
        """Which of both loses less on what is known by now of payments that neither has learnt from."""
        since = max(self.champion.made, self.challenger.made) - MATURE
        if "challenger" not in self.plan.controls or day - MATURE <= since:
            return None
        x, y, amount = self.book.lesson(since, day - MATURE)
        first, second = (_loss(model.scores(x), y, amount) for model in (self.champion, self.challenger))
        found = contest(first, second)
        if found.winner is Winner.CHALLENGER:
            self.champion, self.challenger = self.challenger, self.champion
            self._thresholds(day)
        return found

    def _learn(self, day: int, why: str, first: str, second: str, found: Contest | None = None) -> None:
        """Both models, where enough frauds are known; then what is usual by them."""
        self._learnt = day
        if self.plan.scored:
            x, y, _ = self.book.lesson(day - MEMORY, day - MATURE)
            if (frauds := int(y.sum())) >= _FEWEST:
                draws = Draws(self.plan.seed, "demos.bank.models")
                self.champion, self.challenger = (fitted(recipe, x, y, draws, day) for recipe in (first, second))
                told = Lesson(day=day, why=why, rows=len(y), frauds=frauds, contest=found, champion=first)
                self.lessons.append(told)
        self._usual(day, why)

    def _usual(self, day: int, why: str) -> None:
        """What stages and windows hold the next payments against: the last fortnight."""
        rows, days = self.book.recent(day, 2 * _WEEK)
        scores = self.champion.scores(rows)
        # An account is followed by what was usual when that began: where it has changed, everybody begins anew.
        if self._stages is None or (why != WEEKLY and day - self._followed >= MEMORY // 2):
            self._followed = day
            self._stages = Stages.of(self.plan.controls, rows, self.schema, scores)
        else:
            self._stages.learn(rows, self.schema)
        self._thresholds(day)
        if "monitoring" in self.plan.controls:
            self._monitor.learn(rows, days, scores, self._own)

    def _thresholds(self, day: int) -> None:
        """By shares of the last week's payments: nobody has to know which of them were fraud."""
        if self.champion is NONE:  # it would decline everything at its only score
            return
        self._own = self.threshold = self._quantile(day, 1.0)
        rows, _ = self.book.recent(day, _WEEK)
        self.grey = float(np.quantile(self.champion.scores(rows), 1.0 - DECLINES - LOOKS))

    def _quantile(self, day: int, times: float) -> float:
        rows, _ = self.book.recent(day, _WEEK)
        return float(np.quantile(self.champion.scores(rows), 1.0 - times * DECLINES))


def _loss(scores: Array, y: Array, amount: Array) -> Array:
    """From 0 to 1: a fraud below the edge loses what it takes (1,000 dollars are all), an honest payment above it a
    fiftieth. Each model's edge declines the same share.
    """
    edge = np.quantile(scores, 1.0 - DECLINES)
    missed = (y == 1) & (scores < edge)
    return np.where(missed, np.minimum(amount / 1_000.0, 1.0), np.where((y == 0) & (scores >= edge), 0.02, 0.0))
