"""An assistant's guard asked by hand: a conversation, turn by turn, before every stage; the target answers only where
somebody has allowed that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from temper.config.assistant import load_assistant
from temper.core.assistant import Assistant
from temper.core.chat import Call, ChatTarget, Message, Reply, Request, Role
from temper.core.errors import TemperError
from temper.core.probe import (
    ANSWER,
    OUTSIDER,
    OWN_POLICY,
    SUPPOSED,
    USER,
    Draft,
    Look,
    Subject,
    Told,
    Turns,
    supposed,
    turns_of,
)
from temper.core.stage import Judged, Level
from temper.guard.guarded import Guarded
from temper.guard.pipeline import Guard, of_assistant

Verdicts = Sequence[tuple[Told, ...]]
MOST, MOST_TURNS = 20_000, 40
"""Characters of one turn, and turns of one conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A conversation up to what the target answered (`text` goes on with that, unless the answer says nothing), and
    what is seen of it.
    """

    text: Turns
    look: Look
    reply: Reply


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

    def request(self, text: Turns) -> Request:
        """The conversation as a client sends it: what the owner says, then each turn; what an outsider has written is
        brought by the first tool.
        """
        messages = [Message(role=Role.SYSTEM, text=self.assistant.instructions)] if self.assistant.instructions else []
        for number, turn in enumerate(_known(text), start=1):
            messages += self._messages(turn, str(number))
        return Request(messages=tuple(messages), tools=self.assistant.tools, most_tokens=self.assistant.most_tokens)

    def look(self, text: Turns, earlier: Verdicts = ()) -> Look:
        """What every stage says of each turn. What it said of the first ones at the time may be given as `earlier`:
        nobody says it again.
        """
        turns = _known(text)
        told = list(earlier[: len(turns)])
        told += [self._stages(turns[: at + 1]) for at in range(len(told), len(turns))]
        return self._look(told)

    def answer(self, text: Turns, earlier: Verdicts = ()) -> Heard:
        """The same, and the target's answer to the last turn as far as the guard lets it through; it is not asked what
        was stopped.
        """
        if not self.asked:
            raise TemperError("the target is not asked here", fix="start the console with --ask, or give --ask")
        turns = _known(text)
        before = self.look(tuple(said for turn in turns[:-1] for said in turn), earlier) if len(turns) > 1 else None
        told, reply = self._heard(self.request(_unanswered(turns)))
        said = _unanswered(turns) if reply.invalid else (*_unanswered(turns), (ANSWER, _written(reply)))
        known = () if before is None else (*before.earlier, before.told)
        return Heard(text=said, look=self._look([*known, told]), reply=reply)

    def again(self, text: Turns) -> Heard:
        """The whole conversation asked anew, turn by turn, each after what is answered now to those before."""
        heard: Heard | None = None
        for turn in _known(text):
            so_far = () if heard is None else heard.text
            known = () if heard is None else (*heard.look.earlier, heard.look.told)
            heard = self.answer((*so_far, *_unanswered((turn,))), known)
            if heard.reply.invalid:
                break
        if heard is None:
            raise TemperError("nothing was said", fix="write what is tried")
        return heard

    def gone_on(self, draft: Draft) -> tuple[Turns, Verdicts]:
        """A saved conversation and what every stage said of it then. Of another assistant's nothing was heard of this
        one, and its guard was not asked.
        """
        if draft.system != self.name:
            return supposed(draft.subject.text), ()
        return draft.subject.text, (*draft.look.earlier, draft.look.told)

    def subject(self, text: Turns) -> Subject:
        """What was tried, as a document keeps it."""
        many = len(turns_of(text))
        return Subject(origin="a conversation" if many == 1 else f"a conversation of {many} turns", text=text)

    def _messages(self, turn: Turns, call: str) -> Iterator[Message]:
        for who, said in turn:
            if who == USER:
                yield Message(role=Role.USER, text=said)
            elif who == OUTSIDER:
                name = self.assistant.tools[0].name if self.assistant.tools else "read"
                yield Message(role=Role.ASSISTANT, calls=(Call(name=name, id=call),))
                yield Message(role=Role.TOOL, text=said, answers=call)
            else:
                yield Message(role=Role.ASSISTANT, text=said)

    def _stages(self, turns: Sequence[Turns]) -> tuple[Told, ...]:
        """What they say of the last of these turns: of the question, and of an answer that somebody supposes. Of one
        that was heard they have said it then, when they saw what the target gave and not what they let through.
        """
        if self.guard is None:
            return ()
        request = self.request(_unanswered(turns))
        before = self.guard.before(request)
        who, said = turns[-1][-1]
        if who != SUPPOSED or before.halts:
            return self._told(before)
        return (*self._told(before), *self._told(self.guard.after(request, Reply(text=said)), "answer: "))

    def _heard(self, request: Request) -> tuple[tuple[Told, ...], Reply]:
        """What the stages say of a question and its answer, and what comes through."""
        told: list[Told] = []

        def hear(reply: Reply | None, judged: Judged) -> None:
            told.extend(self._told(judged, "" if reply is None else "answer: "))

        target: ChatTarget = self.assistant.target
        if self.guard is not None:
            target = Guarded(target=target, guard=self.guard, told=hear)
        reply = asyncio.run(target.ask(request))
        return tuple(told), reply

    def _look(self, told: Verdicts) -> Look:
        return Look(
            after=None,
            decided="",
            told=told[-1] if told else (),
            earlier=tuple(told[:-1]),
            model=self.assistant.target.digest,
            policy=OWN_POLICY,
        )

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


def _known(text: Turns) -> tuple[Turns, ...]:
    """The turns of a conversation that can be tried; in each somebody says something before it is answered."""
    turns = turns_of(text)
    if not turns:
        raise TemperError("nothing was said", fix="write what is tried")
    if len(turns) > MOST_TURNS:
        raise TemperError(f"a conversation of {len(turns):,} turns", fix=f"keep to {MOST_TURNS}")
    if any(turn[0][0] in (ANSWER, SUPPOSED) for turn in turns):
        raise TemperError("an answer stands there that nobody has asked for", fix="write what the user says first")
    if wrong := next((who for who, said in text if len(said) > MOST and who != ANSWER), ""):
        raise TemperError(f"a turn of {wrong!r} is too long to be tried", fix=f"write up to {MOST:,} characters")
    return turns


def _unanswered(turns: Sequence[Turns]) -> Turns:
    """The text of these turns without the answer to the last."""
    *before, last = turns
    asked = tuple((who, said) for who, said in last if who in (USER, OUTSIDER))
    return (*(one for turn in before for one in turn), *asked)


def _written(reply: Reply) -> str:
    """An answer as the turns after it see it: a call is written out, and not made."""
    return "\n".join(filter(None, [reply.text, *(f"calls {one.name} {one.arguments}" for one in reply.calls)]))
