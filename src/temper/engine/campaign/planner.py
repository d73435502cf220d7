"""Which technique plays the next turn: the one that promises most progress for its cost, as far as is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from temper.core.campaign import Move, Objective
from temper.core.seed import Draws

Arm = tuple[int, str]
"""An objective by its place, and a technique by its name."""
_CREDIT = 0.5


@dataclass(slots=True, kw_only=True)
class _Record:
    """Turns of progress (in the slices of budget that it was worth) and of cost, and when it had nothing to do."""

    gain: float = 1.0
    cost: float = 1.0
    idle: int = -1


@dataclass(slots=True, kw_only=True, eq=False)
class Planner:
    """Thompson sampling: of every technique that can be played, progress per cost is drawn from what its turns leave
    open (a Gamma law, which begins at "just what the budget needs"), and the largest plays. Half of what a technique
    gained is also credited to those that made what it needed. Whoever had nothing to do waits until there is
    something new; one that `failed` plays no more.

    Source: Thompson, "On the likelihood that one unknown probability exceeds another", 1933.
    """

    techniques: Mapping[str, Move]
    rng: Draws
    records: dict[Arm, _Record] = field(default_factory=dict)
    givers: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    version: int = 0

    def chosen(
        self, objectives: Sequence[Objective], open_: Collection[int], kept: Collection[str], turn: int
    ) -> Arm | None:
        """The arm of this turn; None where none can be played."""
        arms = [
            (at, name)
            for at in sorted(open_)
            for name, one in sorted(self.techniques.items())
            if name not in self.failed
            and objectives[at].aim in one.aims
            and set(one.needs) <= set(kept)
            and self._awake((at, name))
        ]
        return max(arms, key=lambda arm: self._drawn(arm, turn), default=None)

    def learn(self, arm: Arm, share: float, cost: float, *, gave: Collection[str]) -> None:
        """What a turn brought: progress and cost as shares of the goal and of the budget, times the turns it has."""
        record, technique = self._record(arm), self.techniques[arm[1]]
        record.gain, record.cost = record.gain + share, record.cost + cost
        for name in technique.needs:
            giver = self.givers.get(name)
            if giver is not None and giver != arm[1]:
                self._record((arm[0], giver)).gain += _CREDIT * share
        if gave:
            self.givers |= dict.fromkeys(gave, arm[1])
            self.version += 1
        if not cost and not gave:
            record.idle = self.version

    def _awake(self, arm: Arm) -> bool:
        return self._record(arm).idle != self.version

    def _record(self, arm: Arm) -> _Record:
        return self.records.setdefault(arm, _Record())

    def _drawn(self, arm: Arm, turn: int) -> float:
        record = self._record(arm)
        drawn = self.rng.child(f"{arm[0]}/{arm[1]}").generator(turn).gamma(record.gain)
        return float(drawn / record.cost)
