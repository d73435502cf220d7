"""An attacker model that follows several lines of thought and drops the worse ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from temper.attacks.injection._attacker import opening, request, told, written
from temper.attacks.injection._budget import within
from temper.attacks.injection._draw import drawn_way
from temper.attacks.injection._ladder import height
from temper.core.chat import Message
from temper.core.injection import Goal, Ground, Injection, Play, Shown
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True)
class _Leaf:
    """The end of one line of thought: what was said with the attacker, and how high its text came."""

    goal: Goal
    way: Injection
    messages: tuple[Message, ...]
    height: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """TAP: a tree per goal, `branching` texts by the user's attacker model from every leaf, the `width` highest kept,
    `depth` levels; a text without the order's tokens is given the order rather than thrown away as off topic.

    Misleads with an attacker that refuses to attack: nothing is tried, and that is not safety.
    Source: Mehrotra et al., "Tree of attacks: jailbreaking black-box LLMs automatically", 2023.

    >>> Tap(depth=2)
    Tap(width=3, branching=2, depth=2)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = True
    width: int = 3
    branching: int = 2
    depth: int = 4

    def run(self, ground: Ground, rng: Draws) -> Play:
        """One level of all trees at a time."""
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: np.random.Generator) -> Play:
        left = ground.attempts
        leaves = [self._root(ground, goal, gen) for _ in range(self.branching) for goal in ground.goals]
        for level in range(self.depth):
            asked = [leaf for leaf in leaves for _ in range(self.branching if level else 1)][:left]
            if not asked:
                return
            replies = yield tuple(request(leaf.messages, at) for at, leaf in enumerate(asked))
            grown = [
                (replace(leaf, messages=(*leaf.messages, reply.message)), text)
                for leaf, reply in zip(asked, replies, strict=True)
                if (text := written(reply, leaf.goal.asks))
            ]
            left -= len(grown)
            if grown:
                seen = yield tuple(replace(leaf.way, words=text) for leaf, text in grown)
                leaves = self._kept([_after(leaf, text, one) for (leaf, text), one in zip(grown, seen, strict=True)])

    def _root(self, ground: Ground, goal: Goal, gen: np.random.Generator) -> _Leaf:
        carrier, task = drawn_way(ground, goal, gen)
        way = Injection(goal=goal.id, carrier=carrier, task=task)
        return _Leaf(goal, way, opening("pair", ground, goal, way))

    def _kept(self, leaves: list[_Leaf]) -> list[_Leaf]:
        """The highest of every goal; a goal that is reached is done."""
        reached = {leaf.goal.id for leaf in leaves if leaf.height == 1.0}
        kept: list[_Leaf] = []
        for leaf in sorted(leaves, key=lambda leaf: -leaf.height):
            if leaf.goal.id not in reached and sum(one.goal.id == leaf.goal.id for one in kept) < self.width:
                kept.append(leaf)
        return kept


def _after(leaf: _Leaf, text: str, shown: Shown) -> _Leaf:
    reached = 1.0 if shown.hits else height(shown)
    return replace(leaf, messages=(*leaf.messages, told("tap_next", shown, text[:200])), height=reached)


PLUGIN = Tap
