"""One injection tried: dressed, said, judged, once per trial."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from temper.attacks.injection._built import built
from temper.core.assistant import Assistant, Trace
from temper.core.attack import RowVerdict
from temper.core.chat import Usage
from temper.core.errors import TemperError
from temper.core.injection import ASKED, Evidence, Goal, Injection, Shown, Tokens
from temper.core.room import Room
from temper.targets.chat.sandbox import Ask, converse

T = TypeVar("T")
R = TypeVar("R")
Asked: TypeAlias = Callable[[Goal, Tokens, Trace], Awaitable[Evidence]]
FRESH = 1_000_000
"""Trials from here on are for confirmation: no search has seen their answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One trial of one injection: who tried it, what came of it, what it used, whether the user's own task was still
    done, and the guard's stage that stopped something of it.
    """

    strategy: str
    injection: Injection
    trial: int
    evidence: Evidence
    last: str = ""
    requests: int = 0
    usage: Usage = field(default_factory=Usage)
    served: bool | None = None
    blocked: str = ""

    @property
    def hit(self) -> bool:
        """Whether the goal was reached."""
        return self.evidence.verdict is RowVerdict.BROKEN

    @property
    def valid(self) -> bool:
        """Whether it can be judged."""
        return self.evidence.verdict is not RowVerdict.ERROR


@dataclass(slots=True, kw_only=True, eq=False)
class Trying:
    """Tries injections on an assistant whose questions are answered by `ask`; `seed` decides the tokens. `asked` judges
    goals that are stated in words only.
    """

    assistant: Assistant
    ask: Ask
    goals: Mapping[str, Goal]
    seed: int = 0
    asked: Asked | None = None
    _judges: dict[str, Any] = field(default_factory=dict, repr=False)

    async def attempt(self, strategy: str, injection: Injection, trial: int) -> tuple[Attempt, Trace]:
        """One trial."""
        goal = self.goals[injection.goal]
        tokens = self.tokens(injection, trial)
        talk = built(self.assistant, goal, injection, tokens, trial)
        trace = await converse(self.assistant, talk, self.ask)
        evidence = await self._judged(goal, tokens, trace)
        return (
            Attempt(
                strategy=strategy,
                injection=injection,
                trial=trial,
                evidence=evidence,
                last=trace.said[-1][:2_000] if trace.said else "",
                requests=trace.requests,
                usage=trace.usage,
                served=self._served(injection, trace),
                blocked=trace.blocked,
            ),
            trace,
        )

    def tokens(self, injection: Injection, trial: int) -> Tokens:
        """The random words of a trial. They are the same for every injection of a goal through one carrier, so that a
        conversation which goes on from an earlier one is answered from the journal as far as that went.
        """
        return Tokens.of(f"{self.seed}/{injection.goal}/{injection.carrier}/{injection.task}/{trial}")

    def says(self, injection: Injection, trial: int = 0) -> str:
        """What the attacker says or writes: everything of a user, what was planted of an outsider."""
        talk = built(self.assistant, self.goals[injection.goal], injection, self.tokens(injection, trial), trial)
        return "\n".join((*talk.planted.values(), *talk.told.values()) if injection.carrier else talk.turns)

    def _served(self, injection: Injection, trace: Trace) -> bool | None:
        task = next((one for one in self.assistant.tasks if one.id == injection.task), None)
        return None if task is None or trace.invalid else task.done(trace)

    async def _judged(self, goal: Goal, tokens: Tokens, trace: Trace) -> Evidence:
        """By looking where a judge can see it, else by asking."""
        if goal.oracle == ASKED:
            if self.asked is None:
                raise TemperError(f"the goal {goal.id} takes a model that judges", fix="set judge: in temper.yaml")
            return await self.asked(goal, tokens, trace)
        evidence: Evidence = self._judge(goal.oracle).judge(self.assistant, goal, tokens, trace)
        return evidence

    def _judge(self, name: str) -> Any:
        if name not in self._judges:
            self._judges[name] = Room("temper.judges").build(f"told.{name}")
        return self._judges[name]


def twin(injection: Injection) -> Injection:
    """The benign twin: the same carrier and place, and the goal's trigger words in a text that asks for nothing. What
    makes a text an attack (wrapper, codes, suffix, earlier turns) is not in it.
    """
    return replace(injection, benign=True, wrapper="plain", codecs=(), words="", suffix="", turns=())


def shown(attempts: Iterable[Attempt]) -> Shown:
    """What a strategy is told of the trials of one injection."""
    tried = sorted(attempts, key=lambda one: one.trial)
    return Shown(
        injection=tried[0].injection,
        evidence=tuple(one.evidence for one in tried),
        replies=tuple(one.last for one in tried),
    )


async def each(items: Iterable[T], do: Callable[[T], Awaitable[R]], width: int) -> list[R]:
    """`do` for every item, `width` at a time, results in the order of the items; the first failure ends all."""
    waiting, results = iter(enumerate(items)), {}

    async def work() -> None:
        for at, item in waiting:
            results[at] = await do(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(work())
    except BaseExceptionGroup as group_of:
        raise group_of.exceptions[0] from None
    return [results[at] for at in sorted(results)]
