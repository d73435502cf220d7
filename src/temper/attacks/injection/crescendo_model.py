"""An attacker model that leads a conversation to the order."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from temper.attacks.injection._attacker import opening, request, told, written
from temper.attacks.injection._budget import within
from temper.attacks.injection._ladder import outcome
from temper.core.chat import Message, Request
from temper.core.injection import Goal, Ground, Injection, Play, Shown
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(slots=True)
class _Line:
    """One conversation: what was said with the attacker, and the user's turns that stand."""

    goal: Goal
    messages: tuple[Message, ...]
    turns: list[str] = field(default_factory=list)
    said: str = ""
    rounds: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrescendoModel:
    """Crescendo with the user's attacker model: it writes the user's turns one by one and sees every answer; a turn
    that is refused is taken back, the next is written in its place. After `rounds` turns the order itself follows.

    Only what users say can escalate, so goals that only an outsider can have are left out. Misleads there, and with an
    attacker that refuses to attack: nothing is tried, and that is not safety.
    Source: Russinovich et al., "Great, now write an article about that: the Crescendo multi-turn LLM jailbreak
    attack", 2024.

    >>> CrescendoModel(rounds=3)
    CrescendoModel(lines=2, rounds=3, patience=2)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = True
    lines: int = 2
    rounds: int = 5
    patience: int = 2

    def run(self, ground: Ground, rng: Draws) -> Play:
        """All conversations one turn at a time."""
        return within(self._search(ground), ground.attempts)

    def _search(self, ground: Ground) -> Play:
        left = ground.attempts
        goals = [goal for goal in ground.goals if goal.from_users and "" in ground.carriers]
        open_ = [self._line(ground, goal) for _ in range(self.lines) for goal in goals]
        while open_ and left > 0:
            asked = open_[:left]
            texts = yield from self._texts(asked)
            tried = [(one, text) for one, text in zip(asked, texts, strict=True) if text]
            left -= len(tried)
            if tried:
                seen = yield tuple(Injection(goal=o.goal.id, turns=tuple(o.turns), words=text) for o, text in tried)
                for (one, text), shown in zip(tried, seen, strict=True):
                    self._learn(one, text, shown)
            open_ = [one for one in open_ if one.failures < self.patience and one.rounds <= self.rounds]

    def _line(self, ground: Ground, goal: Goal) -> _Line:
        return _Line(goal=goal, messages=opening("crescendo", ground, goal, Injection(goal=goal.id)))

    def _texts(self, lines: list[_Line]) -> Generator[tuple[Request, ...], tuple[Any, ...], list[str]]:
        """What each says next: the attacker's turn, "" where it wrote none, or after the last of them the order."""
        writing = [one for one in lines if one.rounds < self.rounds]
        replies = (yield tuple(request(one.messages, at) for at, one in enumerate(writing))) if writing else ()
        for one, reply in zip(writing, replies, strict=True):
            one.said = written(reply)
            one.failures = 0 if one.said else one.failures + 1
            if one.said:
                one.messages = (*one.messages, reply.message)
        return [one.said if one.rounds < self.rounds else one.goal.asks for one in lines]

    def _learn(self, line: _Line, text: str, shown: Shown) -> None:
        """A refused turn is taken back; a goal that is reached ends the conversation."""
        line.rounds = self.rounds + 1 if shown.hits else line.rounds + 1
        if outcome(shown) == "ignored":
            line.turns.append(text)
        line.messages = (*line.messages, told("crescendo_next", shown, str(line.rounds + 1), self.rounds))


PLUGIN = CrescendoModel
