"""The assistant of temper.yaml, bare or behind its guard: one conversation after the other, no question asked twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from temper.core.assistant import Assistant, Talk, Trace
from temper.core.chat import ChatTarget, Reply
from temper.core.errors import RunStopped
from temper.core.stage import Judged, Level
from temper.engine.campaign.door import Ended
from temper.engine.redteam.answers import Answers
from temper.engine.redteam.run import guarded
from temper.guard.guarded import Guarded
from temper.targets.chat.sandbox import converse


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A conversation that was held: all of it, the worst the guard decided, and which of its stages objected."""

    trace: Trace
    level: Level = Level.ALLOW
    why: Mapping[str, int] = field(default_factory=dict)

    @property
    def stopped(self) -> bool:
        """Whether the guard stopped the question, the answer, or a call in it."""
        return self.level >= Level.REVIEW or bool(self.trace.blocked)


@dataclass(slots=True, kw_only=True, eq=False)
class Conversations:
    """`answers` stand before the target, so that a campaign which goes on asks nothing again. `bare` leaves the guard
    out.
    """

    answers: Answers
    runner: asyncio.Runner
    bare: bool = False
    _target: ChatTarget | None = field(default=None, init=False, repr=False)

    def hold(self, assistant: Assistant, talk: Talk, client: str = "") -> Held:
        """All of it. A target that has had enough ends the campaign, which may go on."""
        judged: list[Judged] = []
        ask = self.answers.ask if self.bare else self._guarded(assistant, judged, client)
        try:
            trace = self.runner.run(converse(assistant, talk, ask))
        except RunStopped as stop:
            raise Ended(stop.message, fix=stop.fix or "--resume goes on from here") from None
        level = max((one.level for one in judged), default=Level.ALLOW)
        objected = Counter(one.stage for each in judged for one in each.decisions if one.level > Level.ALLOW)
        return Held(trace=trace, level=level, why=objected)

    def _guarded(self, assistant: Assistant, judged: list[Judged], client: str) -> Any:
        target = self._target = self._target or guarded(assistant, self.answers)
        if not isinstance(target, Guarded):
            return target.ask

        def told(reply: Reply | None, decided: Judged) -> None:
            judged.append(decided)

        return replace(target, client=client, told=told).ask
