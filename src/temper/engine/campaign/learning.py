"""How a system learns from labels that come back: whose it believes, what it fits, and whether that answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.answering import Learning
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import Recipe, Target
from temper.engine.fitting import fit_of, fits
from temper.targets.served import served

Rows = np.ndarray[Any, Any]
DEFENCES = Room("temper.hardening")
_KNOWN = 2_000


@dataclass(slots=True, kw_only=True, eq=False)
class Lessons:
    """Labels that wait for the end of the day, and what became of earlier ones (`told`).

    A label belongs to a request: what nobody has asked about nobody can dispute, and each request has one label. It
    counts for the account that asked.
    """

    how: Learning = field(default_factory=Learning)
    told: list[str] = field(default_factory=list)
    _asked: dict[bytes, list[str]] = field(default_factory=dict, init=False, repr=False)
    _waiting: list[tuple[Rows, int]] = field(default_factory=list, init=False, repr=False)
    _given: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _seen: set[bytes] = field(default_factory=set, init=False, repr=False)

    def heard(self, row: Rows, account: str) -> None:
        """A request that was answered."""
        self._seen.add(row.tobytes())
        self._asked.setdefault(row.tobytes(), []).append(account)

    def take(self, system: Protected, x: Rows, y: Rows) -> int:
        """How many of these labels will be trained on, where the system learns at all."""
        if not (system.exposure.retrained and system.train is not None and fits(system.target)):
            return 0
        return sum(self._taken(row, int(label)) for row, label in zip(x, y, strict=True))

    def learnt(self, system: Protected, day: int) -> Protected | None:
        """The system with the model of these labels; None where there were none, or the one before goes on."""
        waiting, self._waiting, self._given = self._waiting, [], Counter()
        if not waiting or system.train is None:
            return None
        x, y = np.array([row for row, _ in waiting]), np.array([label for _, label in waiting])
        kept = self._agreed(system, x, y)
        many = f"day {day}: {len(y)} labels came back" + f", {len(kept)} are learnt" * (len(kept) < len(y))
        if not len(kept):
            self.told.append(many)
            return None
        data = Data(x=np.concatenate([system.train.x, x[kept]]), y=np.concatenate([system.train.y, y[kept]]))
        try:
            target = self._fitted(system, data, day)
        except TemperError as refused:
            self.told.append(f"{many}; nothing was fitted: {refused.message}")
            return None
        still, known = self._golden(system, target)
        if still < self.how.golden * known:
            self.told.append(f"{many}; the new model stops {still} of {known} known frauds, so the one before goes on")
            return None
        looked = f"; it stops {still} of {known} known frauds" if known else ""
        self.told.append(f"{many}; a new model answers{looked}")
        return replace(system, target=target, train=data)

    def _taken(self, row: Rows, label: int) -> bool:
        askers = self._asked.get(row.tobytes(), [])
        for account in askers:
            if not self.how.per_account or self._given[account] < self.how.per_account:
                askers.remove(account)
                self._given[account] += 1
                self._waiting.append((row, label))
                return True
        return False

    def _agreed(self, system: Protected, x: Rows, y: Rows) -> Rows:
        """Which labels are learnt from."""
        if self.how.contradicted:
            return np.arange(len(y))
        stopped = np.asarray(served(system.target, system.data.x, system.threshold).score(x)) >= _edge(system)
        return np.flatnonzero(~(stopped & (y == 0)))

    def _fitted(self, system: Protected, data: Data, day: int) -> Target:
        if not self.how.screen:
            return fit_of(system.target)(data, Recipe(seed=day))
        defence = DEFENCES.build(self.how.screen, _options(DEFENCES.get(self.how.screen), system))
        found: Target = defence.apply(system.target, data, Draws(day, "campaign.lesson"))
        return found

    def _golden(self, system: Protected, target: Target) -> tuple[int, int]:
        """Of known frauds that the model in force stops, and that nobody has sent, those that the new one stops."""
        if not self.how.golden:
            return 0, 0
        y = np.asarray(system.data.y)
        at = [one for one in np.flatnonzero(y == 1) if system.data.x[one].tobytes() not in self._seen][:_KNOWN]
        before, after = (served(one, system.data.x, system.threshold).score for one in (system.target, target))
        rows, edge = np.ascontiguousarray(system.data.x[at], dtype=np.float64), _edge(system)
        stopped = np.asarray(before(rows)) >= edge
        return int((np.asarray(after(rows[stopped])) >= edge).sum()), int(stopped.sum())


def _edge(system: Protected) -> float:
    return float(system.threshold or 0.0)


def _options(kind: type[Any], system: Protected) -> dict[str, Any]:
    """What a defence of training rows has to know of the system."""
    known = {"schema": system.schema, "accepted": system.train}
    return {name: value for name, value in known.items() if name in kind.__dataclass_fields__}
