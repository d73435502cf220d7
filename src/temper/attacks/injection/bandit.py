"""What has worked is tried more: Thompson sampling over wrappers, ways in and codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import numpy as np

from temper.attacks.injection._budget import within
from temper.attacks.injection._built import ways
from temper.attacks.injection._draw import (
    POSITIONS,
    carrier_family,
    codec_family,
    in_codes,
    one_of,
    wrapper_family,
)
from temper.attacks.injection._ladder import height, share
from temper.core.injection import Goal, Ground, Injection, Play, Shown
from temper.core.seed import Draws
from temper.core.target import Access

Item = TypeVar("Item")
_Arm = tuple[str, ...]
_SURE = 2.0  # trials that the prior of an arm is worth; its mean is that of all arms


@dataclass(slots=True)
class _Arms:
    """Rewards by arm: a factor, then a family of it, then a member of the family, each believed in for itself."""

    won: dict[_Arm, float] = field(default_factory=dict)
    tried: dict[_Arm, float] = field(default_factory=dict)

    def chosen(self, arm: _Arm, items: Sequence[Item], path: Callable[[Item], _Arm], gen: np.random.Generator) -> Item:
        """One of the items, level by level, each by a draw from what is believed of the arms there."""
        while True:
            under = sorted({path(item)[: len(arm) + 1] for item in items} - {arm})
            if not under:
                return one_of(items, gen)
            arm = self._best(under, gen)
            items = [item for item in items if path(item)[: len(arm)] == arm]

    def learn(self, arm: _Arm, reward: float) -> None:
        """One more trial of an arm and of those above it."""
        for depth in range(1, len(arm) + 1):
            part = arm[:depth]
            self.won[part] = self.won.get(part, 0.0) + reward
            self.tried[part] = self.tried.get(part, 0.0) + 1.0

    def _best(self, arms: Sequence[_Arm], gen: np.random.Generator) -> _Arm:
        """The prior of an arm is the mean of its factor, worth a few trials."""
        factor = arms[0][:1]
        mean = (0.2 * _SURE + self.won.get(factor, 0.0)) / (_SURE + self.tried.get(factor, 0.0))
        drawn = []
        for arm in arms:
            won, tried = self.won.get(arm, 0.0), self.tried.get(arm, 0.0)
            drawn.append(gen.beta(_SURE * mean + won, _SURE * (1.0 - mean) + tried - won))
        return arms[int(np.argmax(drawn))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandit:
    """Goals in turn; wrapper, way in, place and code are each an arm, chosen by Thompson sampling within families. The
    reward is the share of trials that hit, or a tenth of the rung where none did.

    Misleads where parts work only together: each part is rated for itself.
    Source: Thompson, "On the likelihood that one unknown probability exceeds another", 1933; Russo et al., "A tutorial
    on Thompson sampling", 2018.

    >>> Bandit(batch=8)
    Bandit(batch=8)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    batch: int = 16

    def run(self, ground: Ground, rng: Draws) -> Play:
        """Batches drawn from what is believed so far."""
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: np.random.Generator) -> Play:
        arms, done = _Arms(), 0
        while ground.goals:
            goals = [ground.goals[at % len(ground.goals)] for at in range(done, done + self.batch)]
            done += self.batch
            for shown in (yield tuple(_drawn(ground, goal, arms, gen) for goal in goals)):
                _learn(arms, shown)


def _way(way: tuple[str, str]) -> _Arm:
    return ("way", carrier_family(way[0]), way[0])


def _wrapper(name: str) -> _Arm:
    return ("wrapper", wrapper_family(name), name)


def _code(name: str) -> _Arm:
    return ("code", "coded", codec_family(name), name) if name else ("code", "plain")


def _place(name: str) -> _Arm:
    return ("place", name)


def _drawn(ground: Ground, goal: Goal, arms: _Arms, gen: np.random.Generator) -> Injection:
    carrier, task = arms.chosen(("way",), ways(ground, goal), _way, gen)
    code = arms.chosen(("code",), ("", *ground.codecs), _code, gen)
    wrapper = arms.chosen(("wrapper",), ground.wrappers, _wrapper, gen)
    place = arms.chosen(("place",), POSITIONS, _place, gen) if carrier else "end"
    made = Injection(goal=goal.id, wrapper=wrapper, carrier=carrier, task=task, position=place)
    return in_codes(made, (code,), ground) if code else made


def _learn(arms: _Arms, shown: Shown) -> None:
    if not shown.valid:
        return
    one, reward = shown.injection, max(share(shown), height(shown) / 10)
    arms.learn(_way((one.carrier, one.task)), reward)
    arms.learn(_wrapper(one.wrapper), reward)
    arms.learn(_code(one.codecs[0] if one.codecs else ""), reward)
    if one.carrier:
        arms.learn(_place(one.position), reward)


PLUGIN = Bandit
