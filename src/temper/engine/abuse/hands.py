"""What attackers think up at home, with the searches of `attacks/injection`: one injection at a time."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from temper.attacks.injection._built import ground, possible, ways
from temper.core.abuse import USER, Heard
from temper.core.assistant import Assistant
from temper.core.attack import RowVerdict
from temper.core.campaign import Aim, Campaign, Objective
from temper.core.chat import Request
from temper.core.errors import TemperError
from temper.core.injection import Evidence, Goal, Ground, Injection, Play, Shown, Stage
from temper.core.room import Room
from temper.core.seed import Draws

ATTACKS = Room("temper.attacks")
OWN = "objective"
"""The name of a goal that an objective words itself."""
_DESCRIPTION = "tool-description"
_CODED = ("plain", "decode")


def ready(assistant: Assistant, objective: Objective) -> Assistant:
    """The assistant with the objective's tool first of its kind, so that orders which name a tool name that one."""
    return replace(assistant, services=tuple(sorted(assistant.services, key=lambda s: s.tool.name != objective.tool)))


def aims(assistant: Assistant, objective: Objective, *, typed: bool) -> tuple[Goal, ...]:
    """Goals of the catalogue that bring this objective about, where it is typed or where it is placed."""
    service = assistant.service(objective.tool)
    effect = service.effect if service is not None else ""
    if objective.asks:
        oracle, needs = ("toolcall", (effect,)) if objective.aim is Aim.CALL else ("egress", ())
        words = objective.words
        return (Goal(id=OWN, title=words, asks=objective.asks, twin=words, oracle=oracle, needs=needs),)
    known = ground(assistant, 1).goals
    if objective.aim is Aim.CALL:
        found = [one for one in known if one.oracle == "toolcall" and effect in one.needs]
        return tuple(replace(one, from_users=typed) for one in found)
    return tuple(one for one in known if one.oracle == ("canary" if typed else "egress"))


def scope(assistant: Assistant, campaign: Campaign) -> tuple[tuple[str, str], ...]:
    """Every (carrier, task) through which these attackers may come in; descriptions of tools are nobody's channel."""
    rules, channels = campaign.rules, campaign.attacker.channels
    tasks = {task.id: task for task in assistant.tasks}

    def inside(task: str) -> bool:
        one = tasks[task]
        named = [value for call in one.calls if call.name == one.reads for value in _values(call.arguments)]
        documents = not rules.documents or not named or any(value in rules.documents for value in named)
        return documents and one.reads in channels and (not rules.channels or one.reads in rules.channels)

    return tuple(way for way in possible(assistant) if way[0] and way[0] != _DESCRIPTION and inside(way[1]))


def may_type(campaign: Campaign) -> bool:
    """Whether these attackers may use accounts of their own."""
    rules = campaign.rules
    return USER in campaign.attacker.channels and (not rules.channels or USER in rules.channels)


def _values(arguments: str) -> Iterator[str]:
    yield from map(str, json.loads(arguments or "{}").values())


@dataclass(slots=True, kw_only=True, eq=False)
class Search:
    """A strategy at work: what it proposes waits until something has come of it."""

    play: Play
    _waiting: deque[Injection] = field(default_factory=deque, init=False)
    _batch: list[Injection] = field(default_factory=list, init=False)
    _came: dict[Injection, Shown] = field(default_factory=dict, init=False)
    _over: bool = field(default=False, init=False)

    def next(self) -> Injection | None:
        """The first that nothing has come of yet."""
        while not self._waiting and not self._over:
            self._go_on()
        return self._waiting[0] if self._waiting else None

    def hear(self, injection: Injection, heard: Heard) -> None:
        """What came of the first."""
        if self._waiting and self._waiting[0] == injection:
            self._waiting.popleft()
            self._came[injection] = _shown(injection, heard)

    def _go_on(self) -> None:
        sent: Any = tuple(self._came[one] for one in self._batch) if self._batch else None
        try:
            batch: Any = self.play.send(sent)
        except StopIteration:
            self._over = True
            return
        if isinstance(batch[0], Request):
            raise TemperError("the strategy asks an attacker model", fix="name one that needs none: bandit, crescendo")
        self._batch, self._came = list(batch), {}
        self._waiting = deque(dict.fromkeys(batch))


def search(
    assistant: Assistant,
    objective: Objective,
    through: tuple[tuple[str, str], ...],
    strategy: str,
    *,
    attempts: int,
    typed: bool,
    coded: bool,
    draws: Draws,
) -> Search:
    """A strategy on the ground that is in scope: plain words in every wrapper, or codes with hardly any."""
    tasks = {task for _, task in through}
    narrow = replace(assistant, tasks=tuple(task for task in assistant.tasks if task.id in tasks))
    whole = ground(narrow, attempts)
    on = replace(
        whole,
        goals=aims(assistant, objective, typed=typed),
        carriers=("",) if typed else tuple(dict.fromkeys(carrier for carrier, _ in through)),
        wrappers=tuple(one for one in whole.wrappers if not coded or one in _CODED),
        codecs=whole.codecs if coded or typed else (),
    )
    on = replace(on, goals=tuple(one for one in on.goals if ways(on, one)))
    built = ATTACKS.build(f"injection.{strategy}")
    return Search(play=built.run(on, draws) if on.goals else _nothing(on))


def _nothing(on: Ground) -> Play:
    """A search without anything to search for."""
    yield from ()


def _shown(injection: Injection, heard: Heard) -> Shown:
    """What attackers saw, in a strategy's words: of a stranger's conversation the effect alone."""
    if heard.effect:
        evidence = Evidence(verdict=RowVerdict.BROKEN, stage=Stage.HARMED)
    elif not heard.answered:
        evidence = Evidence(verdict=RowVerdict.ERROR, stage=Stage.NOWHERE, reason="no answer")
    else:
        passed = heard.said and not heard.stopped
        evidence = Evidence(verdict=RowVerdict.HELD, stage=Stage.PASSED if passed else Stage.DELIVERED)
    return Shown(injection=injection, evidence=(evidence,), replies=(heard.said,))
