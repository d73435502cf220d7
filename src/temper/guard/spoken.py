"""An assistant's guard asked by hand: a prompt, and what an outsider has written, before every stage; the target
answers only where somebody has allowed that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temper.config.assistant import load_assistant
from temper.core.assistant import Assistant
from temper.core.chat import Call, Message, Reply, Request, Role
from temper.core.errors import TemperError
from temper.core.probe import Look, Subject, Told
from temper.core.stage import Judged, Level
from temper.guard.guarded import released
from temper.guard.pipeline import Guard, of_assistant

Turns = tuple[tuple[str, str], ...]
USER, OUTSIDER = "user", "tool"
"""Who says what is tried: whoever asks, or somebody whose words a tool brings."""
MOST = 20_000
"""Characters of one turn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Spoken:
    """The `assistant` of a temper.yaml behind its `guard`, None where it has none. Its target is `asked` only where
    whoever started this has said so: that costs money, and what it answers may call tools of others.
    """

    assistant: Assistant
    guard: Guard | None
    asked: bool = False

    @staticmethod
    def at(path: Path, *, asked: bool = False) -> Spoken:
        """What this temper.yaml describes."""
        assistant = load_assistant(path)
        return Spoken(assistant=assistant, guard=of_assistant(assistant) if assistant.guard else None, asked=asked)

    @property
    def name(self) -> str:
        """The name of the assistant."""
        return self.assistant.name

    def request(self, turns: Turns) -> Request:
        """The conversation: what the owner says, whoever asks, and what the first tool brings back, if anything."""
        if wrong := next((who for who, said in turns if len(said) > MOST or who not in (USER, OUTSIDER)), ""):
            raise TemperError(f"a turn of {wrong[:20]!r} cannot be tried", fix=f"write up to {MOST:,} characters")
        messages = [Message(role=Role.SYSTEM, text=self.assistant.instructions)] if self.assistant.instructions else []
        for who, said in turns:
            if who == USER:
                messages.append(Message(role=Role.USER, text=said))
                continue
            name = self.assistant.tools[0].name if self.assistant.tools else "read"
            messages.append(Message(role=Role.ASSISTANT, calls=(Call(name=name, id="1"),)))
            messages.append(Message(role=Role.TOOL, text=said, answers="1"))
        return Request(messages=tuple(messages), tools=self.assistant.tools, most_tokens=self.assistant.most_tokens)

    def look(self, turns: Turns) -> Look:
        """What every stage says of the question."""
        return self._look(() if self.guard is None else self._told(self.guard.before(self.request(turns))))

    def answer(self, turns: Turns) -> tuple[Look, Reply]:
        """The same, and the target's answer as far as the guard lets it through; it is not asked what was stopped."""
        if not self.asked:
            raise TemperError("the target is not asked here", fix="start the console with --ask, or give --ask")
        request = self.request(turns)
        before = None if self.guard is None else self.guard.before(request)
        if before is not None and before.halts:
            return self.look(turns), Reply(blocked="the question was stopped")
        reply = asyncio.run(self.assistant.target.ask(request if before is None else before.exchange.request))
        if self.guard is None or before is None or reply.invalid:
            return self.look(turns), reply
        after = self.guard.after(request, reply)
        return self._look((*self._told(before), *self._told(after, "answer: "))), released(reply, after)

    def subject(self, turns: Turns) -> Subject:
        """What was tried, as a document keeps it."""
        return Subject(origin="a conversation", text=turns)

    def _look(self, told: Sequence[Told]) -> Look:
        return Look(after=None, decided="", told=tuple(told), model=self.assistant.target.digest)

    def _told(self, judged: Judged, of: str = "") -> tuple[Told, ...]:
        """A line for every stage; those behind one that blocks were not asked."""
        said = {one.stage: one for one in judged.decisions}
        lines, over = [], False
        for name, _ in () if self.guard is None else self.guard.stages:
            one = said.get(name)
            level, reason = (Level.ALLOW, "") if one is None else (one.level, one.reason)
            mode = "aside" if over else "enforce"
            lines.append(Told(stage=of + name, mode=mode, level=level.name, reason=reason))
            over = over or level is Level.BLOCK
        return tuple(lines)
