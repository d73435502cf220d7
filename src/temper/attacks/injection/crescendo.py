"""A friendly conversation that ends in the order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from temper.attacks.injection._budget import within
from temper.attacks.injection._catalogue import Escalation, escalations
from temper.attacks.injection._draw import of_a_family, shuffled, wrapper_family
from temper.attacks.injection._ladder import outcome
from temper.core.injection import Goal, Ground, Injection, Play
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(slots=True)
class _Line:
    """One goal with one script: the turns so far, the wording of the last rung they end in, the wrapper after them."""

    goal: Goal
    script: Escalation
    wrapper: str
    turns: list[str] = field(default_factory=list)
    wording: int = 0

    def step(self, came_to: str) -> bool:
        """Another wording of the last turn after a refusal, else one rung up; False at the top."""
        milder = self.turns and came_to not in ("ignored", "reached", "error", "lost")
        if milder and self.wording + 1 < len(self.script.rungs[len(self.turns) - 1]):
            self.wording += 1
            self.turns[-1] = self.script.rungs[len(self.turns) - 1][self.wording]
            return True
        if len(self.turns) == len(self.script.rungs):
            return False
        self.wording = 0
        self.turns.append(self.script.rungs[len(self.turns)][0])
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Crescendo:
    """Scripts that lead up to a goal a rung at a time, with the order tried at every height. A refusal goes back: the
    last turn is said in a milder way, what stands before is asked again word by word and answered from the cache. At
    the top other wrappers are tried.

    Only what users say can escalate, so goals that only an outsider can have are left out, and an assistant none of
    whose goals remain is not tried at all. Misleads there, and where the scripts' English is not the model's.
    Source: Russinovich et al., "Great, now write an article about that: the Crescendo multi-turn LLM jailbreak
    attack", 2024.

    >>> Crescendo()
    Crescendo()
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False

    def run(self, ground: Ground, rng: Draws) -> Play:
        """Every line one step per batch."""
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: np.random.Generator) -> Play:
        lines = shuffled(_lines(ground), gen)
        while lines:
            seen = yield tuple(
                Injection(goal=line.goal.id, wrapper=line.wrapper, turns=tuple(line.turns)) for line in lines
            )
            for line, shown in zip(lines, seen, strict=True):
                if not line.step(outcome(shown)):
                    line.wrapper = of_a_family(ground.wrappers, wrapper_family, gen)


def _lines(ground: Ground) -> list[_Line]:
    """Every goal that users can have, with every script that leads up to its kind."""
    goals = [goal for goal in ground.goals if goal.from_users and "" in ground.carriers]
    first = "plain" if "plain" in ground.wrappers else ground.wrappers[0]
    pairs = [(goal, script) for goal in goals for script in escalations() if goal.oracle in script.oracles]
    return [_Line(goal=goal, script=script, wrapper=first) for goal, script in pairs]


PLUGIN = Crescendo
