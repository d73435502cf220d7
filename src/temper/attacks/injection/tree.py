"""A tree of attempts: each that fails is changed in the way that its failure asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from temper.attacks.injection._budget import within
from temper.attacks.injection._draw import (
    codec_family,
    drawn,
    drawn_way,
    in_codes,
    mutated,
    of_a_family,
    wrapper_family,
)
from temper.attacks.injection._ladder import height, outcome
from temper.core.injection import Goal, Ground, Injection, Play, Shown
from temper.core.seed import Draws
from temper.core.target import Access

_ANSWERS = {  # families of wrappers that answer a failure
    "policy": ("persuasion", "demonstration", "override"),
    "suspicion": ("alignment", "plain", "demonstration"),
    "ignored": ("override", "forgery", "structure"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Every goal has `width` branches, each `branching` children, and the highest stay; no model is asked for ideas.
    What stopped an attempt decides how its children differ: a guard, other codes; a refusal, persuasion; suspicion,
    less noise; "unclear", fewer codes; no word of it, a louder wrapper at the end; not read, another way in.
    A branch ends after `depth` steps and a new one is drawn.

    Misleads where refusals are worded in ways that the rules do not know: they count as passed over.
    Source: Mehrotra et al., "Tree of attacks: jailbreaking black-box LLMs automatically", 2023, with rules in place of
    its attacker model.

    >>> Tree(width=2)
    Tree(width=2, branching=2, depth=6)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    width: int = 2
    branching: int = 2
    depth: int = 6

    def run(self, ground: Ground, rng: Draws) -> Play:
        """A level of every goal's tree per batch."""
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: np.random.Generator) -> Play:
        level = 0
        kept: dict[str, list[Shown]] = {}
        while ground.goals:
            turn = level % len(ground.goals)
            goals = ground.goals[turn:] + ground.goals[:turn]  # a budget that ends within a level ends elsewhere
            kept = {} if level % self.depth == 0 else kept
            tried = tuple(one for goal in goals for one in self._grown(ground, goal, kept.get(goal.id, []), gen))
            level += 1
            for shown in (yield tried):
                best = [*kept.get(shown.injection.goal, []), shown]
                kept[shown.injection.goal] = sorted(best, key=height, reverse=True)[: self.width]

    def _grown(self, ground: Ground, goal: Goal, best: list[Shown], gen: np.random.Generator) -> list[Injection]:
        if not best:
            return [drawn(ground, goal, gen) for _ in range(self.width)]
        return [_answer(one, ground, goal, gen) for one in best for _ in range(self.branching)]


def _answer(shown: Shown, ground: Ground, goal: Goal, gen: np.random.Generator) -> Injection:
    """What to try next, by what stopped this one; half of the time something else is changed too."""
    one, stopped = shown.injection, outcome(shown)
    if stopped == "blocked" and ground.codecs:
        child = in_codes(replace(one, codecs=()), (of_a_family(ground.codecs, codec_family, gen),), ground)
    elif stopped == "unclear" and one.codecs:
        child = replace(one, codecs=one.codecs[:-1])
    elif stopped in ("lost", "incapable"):
        carrier, task = drawn_way(ground, goal, gen)
        child = replace(one, carrier=carrier, task=task, position="end")
    elif families := _ANSWERS.get(stopped):
        fitting = [name for name in ground.wrappers if wrapper_family(name) in families] or ground.wrappers
        child = replace(one, wrapper=of_a_family(fitting, wrapper_family, gen), position="end")
    else:
        return mutated(one, ground, gen)
    return mutated(child, ground, gen) if gen.random() < 0.5 else child


PLUGIN = Tree
