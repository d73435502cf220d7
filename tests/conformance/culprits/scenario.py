"""Scenarios of unusual behaviour, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.stress.events._history import Cases, History
from temper.testing import scenario

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Forgets a rising share of the customer's earlier events."""

    def apply(self, cases: Cases, severity: int, rng: Draws) -> History:
        if severity not in (1, 2, 3, 4, 5):
            raise TemperError("severities are 1 to 5")
        return self.rewritten(cases, severity, rng)

    def rewritten(self, cases: Cases, severity: int, rng: Draws) -> History:
        history = cases.history()
        gone = np.asarray(Draws(rng.seed, rng.name).uniform(history.source, 0)) < severity / 6
        return history.without(gone & history.past & history.shares("customer"))


class Restless(Honest):
    """Forgets others every time."""

    def rewritten(self, cases: Cases, severity: int, rng: Draws) -> History:
        return Honest.rewritten(self, cases, severity, Draws(next(CALLS), "restless"))


class InPlace(Honest):
    """Works on the events it is given."""

    def rewritten(self, cases: Cases, severity: int, rng: Draws) -> History:
        cases.events.columns["amount"] *= 1.0
        return cases.history()


class Replaces(Honest):
    """Puts other amounts into the history it is given."""

    def rewritten(self, cases: Cases, severity: int, rng: Draws) -> History:
        cases.events.columns["amount"] = cases.events.columns["amount"] + severity
        return cases.history()


class Later(Honest):
    """Judges the events of an hour later."""

    def rewritten(self, cases: Cases, severity: int, rng: Draws) -> History:
        history = cases.history()
        return replace(history, time=history.time + 3600)


class Fewer(Honest):
    """Leaves the last case out."""

    def rewritten(self, cases: Cases, severity: int, rng: Draws) -> History:
        return replace(cases, rows=cases.rows[:-1]).history()


class Foresees(Honest):
    """Adds an event of the next day."""

    def rewritten(self, cases: Cases, severity: int, rng: Draws) -> History:
        history = cases.history()
        of = np.arange(len(history.world))[history.judged]
        return history.with_copies(of, history.time[of] + 86_400)


class Idle(Honest):
    """Rewrites nothing."""

    def rewritten(self, cases: Cases, severity: int, rng: Draws) -> History:
        return cases.history()


class Careless(Honest):
    """Takes any severity."""

    def apply(self, cases: Cases, severity: int, rng: Draws) -> History:
        return self.rewritten(cases, severity, rng)


BITES: dict[Any, tuple[Any, ...]] = {
    scenario.law_same_seed_same_history: (Restless,),
    scenario.law_leaves_the_history_alone: (InPlace, Replaces),
    scenario.law_judges_the_same_events: (Later, Fewer),
    scenario.law_nothing_comes_from_the_future: (Foresees,),
    scenario.law_the_columns_follow: (Idle,),
    scenario.law_refuses_other_severities: (Careless,),
}
INNOCENT = Honest
