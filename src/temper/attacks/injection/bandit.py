"""What has worked is tried more: Thompson sampling over wrappers, ways in and codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import numpy as np

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


@dataclass(slots=True)
class _Arms:
    """Rewards and their absence by arm; an arm is a factor, a family of it, or a member of the family."""

    won: dict[_Arm, float] = field(default_factory=dict)
    lost: dict[_Arm, float] = field(default_factory=dict)

    def chosen(
        self, factor: str, items: Sequence[Item], path: Callable[[Item], _Arm], gen: np.random.Generator
    ) -> Item:
        """A family by a draw from what is believed of each, then a member of it the same way."""
        families = sorted({path(item)[0] for item in items})
        family = self._best([(factor, name) for name in families], gen)[1]
        members = [item for item in items if path(item)[0] == family]
        names = sorted({path(item)[1] for item in members})
        name = self._best([(factor, family, each) for each in names], gen)[2]
        return one_of([item for item in members if path(item)[1] == name], gen)

    def learn(self, arm: _Arm, reward: float) -> None:
        """One more trial of a family and of its member."""
        for part in (arm[:2], arm):
            self.won[part] = self.won.get(part, 0.0) + reward
            self.lost[part] = self.lost.get(part, 0.0) + 1.0 - reward

    def _best(self, arms: Sequence[_Arm], gen: np.random.Generator) -> _Arm:
        drawn = [gen.beta(1.0 + self.won.get(arm, 0.0), 1.0 + self.lost.get(arm, 0.0)) for arm in arms]
        return arms[int(np.argmax(drawn))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandit:
    """Goals in turn; wrapper, way in, place and code are each an arm, chosen by Thompson sampling within families. The
    reward is the share of trials that hit, or a fifth of the rung where none did.

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
        gen, arms, done = rng.generator(), _Arms(), 0
        while done < ground.attempts and ground.goals:
            size = min(self.batch, ground.attempts - done)
            goals = [ground.goals[(done + at) % len(ground.goals)] for at in range(size)]
            done += size
            for shown in (yield tuple(_drawn(ground, goal, arms, gen) for goal in goals)):
                _learn(arms, shown)


def _drawn(ground: Ground, goal: Goal, arms: _Arms, gen: np.random.Generator) -> Injection:
    carrier, task = arms.chosen("way", ways(ground, goal), lambda way: (carrier_family(way[0]), way[0]), gen)
    code = arms.chosen("code", ("", *ground.codecs), lambda name: (codec_family(name), name), gen)
    wrapper = arms.chosen("wrapper", ground.wrappers, lambda name: (wrapper_family(name), name), gen)
    place = arms.chosen("place", POSITIONS, lambda name: (name, name), gen) if carrier else "end"
    made = Injection(goal=goal.id, wrapper=wrapper, carrier=carrier, task=task, position=place)
    return in_codes(made, (code,), ground) if code else made


def _learn(arms: _Arms, shown: Shown) -> None:
    if not shown.valid:
        return
    one = shown.injection
    code = one.codecs[0] if one.codecs else ""
    reward = max(share(shown), height(shown) / 5)
    arms.learn(("way", carrier_family(one.carrier), one.carrier), reward)
    arms.learn(("code", codec_family(code), code), reward)
    arms.learn(("wrapper", wrapper_family(one.wrapper), one.wrapper), reward)
    if one.carrier:
        arms.learn(("place", one.position, one.position), reward)


PLUGIN = Bandit
