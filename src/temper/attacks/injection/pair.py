"""An attacker model that rewrites its text after every answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from temper.attacks.injection._attacker import opening, request, told, written
from temper.attacks.injection._budget import within
from temper.attacks.injection._draw import drawn_way
from temper.core.chat import Message
from temper.core.injection import Goal, Ground, Injection, Play, Shown
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(slots=True)
class _Stream:
    """One conversation with the attacker about one goal and way in."""

    goal: Goal
    way: Injection
    messages: tuple[Message, ...]
    rounds: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """PAIR: `streams` conversations per goal with the user's attacker model; in each it writes a text, is shown what
    the assistant said and how far that came, and writes another, `rounds` times or until the goal is reached.

    A stream whose attacker answers garbage `patience` times in a row is given up; attempts that it never wrote are not
    spent. Misleads with an attacker that refuses to attack: nothing is tried, and that is not safety.
    Source: Chao et al., "Jailbreaking black box large language models in twenty queries", 2023.

    >>> Pair(streams=2)
    Pair(streams=2, rounds=4, patience=2)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = True
    streams: int = 3
    rounds: int = 4
    patience: int = 2

    def run(self, ground: Ground, rng: Draws) -> Play:
        """All open streams ask together, then all that got a text are tried together."""
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: np.random.Generator) -> Play:
        left = ground.attempts
        open_ = [self._stream(ground, goal, gen) for _ in range(self.streams) for goal in ground.goals]
        questions = self.patience * ground.attempts
        while open_ and left > 0 and questions > 0:
            asked = open_[: min(left, questions)]
            questions -= len(asked)
            replies = yield tuple(request(one.messages, at) for at, one in enumerate(asked))
            tried: list[tuple[_Stream, Injection]] = []
            for one, reply in zip(asked, replies, strict=True):
                text = written(reply, one.goal.asks)
                one.failures = 0 if text else one.failures + 1
                if text:
                    one.messages = (*one.messages, reply.message)
                    tried.append((one, replace(one.way, words=text)))
            left -= len(tried)
            if tried:
                for (one, _), shown in zip(tried, (yield tuple(each for _, each in tried)), strict=True):
                    self._learn(one, shown)
            open_ = [one for one in open_ if one.failures < self.patience and one.rounds < self.rounds]

    def _stream(self, ground: Ground, goal: Goal, gen: np.random.Generator) -> _Stream:
        carrier, task = drawn_way(ground, goal, gen)
        way = Injection(goal=goal.id, carrier=carrier, task=task)
        return _Stream(goal=goal, way=way, messages=opening("pair", ground, goal, way))

    def _learn(self, stream: _Stream, shown: Shown) -> None:
        """A stream that has reached its goal is done."""
        stream.messages = (*stream.messages, told("pair_next", shown))
        stream.rounds = self.rounds if shown.hits else stream.rounds + 1


PLUGIN = Pair
