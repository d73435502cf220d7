"""Layers in a row: the worst wins, changes go on, failures stop everything, and a conversation keeps its words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from temper.core.chat import Call, Message, Reply, Request, Role
from temper.core.errors import ConfigError
from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level, Stage
from temper.guard.guarded import REFUSAL, Guarded
from temper.guard.pipeline import Guard
from temper.targets.chat.function import ChatFunction

ASKED = Request(messages=(Message(role=Role.SYSTEM, text="Help."), Message(role=Role.USER, text="hello")))


@dataclass(frozen=True)
class Says:
    """Decides the same of everything, on the way in or on the way out."""

    level: Level
    out: bool = False
    name: str = "says"

    def check(self, exchange: Exchange, context: Context) -> Decision:
        if (exchange.reply is not None) is not self.out:
            return ALLOWED
        return Decision(level=self.level, stage=self.name, reason="because")


@dataclass(frozen=True)
class Shouts:
    """Puts everything into capitals."""

    def check(self, exchange: Exchange, context: Context) -> Decision:
        last = exchange.request.messages[-1]
        told = (*exchange.request.messages[:-1], replace(last, text=last.text.upper()))
        changed = replace(exchange, request=replace(exchange.request, messages=told))
        return Decision(level=Level.REVISE, stage="shouts", reason="louder", exchange=changed)


@dataclass(frozen=True)
class Takes:
    """Takes every call out of an answer and asks a human."""

    def check(self, exchange: Exchange, context: Context) -> Decision:
        if exchange.reply is None:
            return ALLOWED
        bare = replace(exchange, reply=replace(exchange.reply, calls=()))
        return Decision(level=Level.REVIEW, stage="takes", reason="a call", exchange=bare)


class Crashes:
    """Fails."""

    def check(self, exchange: Exchange, context: Context) -> Decision:
        raise ValueError("a secret detail")


def guard(*stages: Stage) -> Guard:
    return Guard(stages=tuple((f"s{at}", stage) for at, stage in enumerate(stages)))


def answered(built: Guard, reply: Reply | None = None) -> tuple[Reply, list[Request]]:
    seen: list[Request] = []

    async def call(request: Request) -> Reply:
        seen.append(request)
        return reply or Reply(text=f"you said {request.messages[-1].text}")

    return asyncio.run(Guarded(target=ChatFunction(call=call), guard=built).ask(ASKED)), seen


def test_the_worst_decision_wins_and_all_are_kept() -> None:
    judged = guard(Says(Level.REVISE), Says(Level.REVIEW), Says(Level.ALLOW)).before(ASKED)
    assert judged.level is Level.REVIEW
    assert [one.level for one in judged.decisions] == [Level.REVISE, Level.REVIEW]


def test_changes_go_on_to_the_next_stage_and_to_the_target() -> None:
    reply, seen = answered(guard(Shouts()))
    assert seen[0].messages[-1].text == "HELLO"
    assert (reply.text, reply.blocked) == ("you said HELLO", "")


def test_what_is_blocked_on_the_way_in_is_never_asked() -> None:
    reply, seen = answered(guard(Says(Level.BLOCK)))
    assert (reply.text, reply.blocked, seen) == (REFUSAL, "says: because", [])


def test_what_is_blocked_on_the_way_out_is_paid_for_and_not_told() -> None:
    reply, seen = answered(guard(Says(Level.BLOCK, out=True)))
    assert (reply.text, reply.blocked, len(seen)) == (REFUSAL, "says: because", 1)
    assert reply.usage.read > 0


def test_what_waits_for_a_human_goes_without_the_call() -> None:
    reply, _ = answered(guard(Takes()), Reply(text="on it", calls=(Call(name="pay"),)))
    assert (reply.text, reply.calls, reply.blocked) == ("on it", (), "takes: a call")
    assert answered(guard(Says(Level.REVIEW)))[0].text == REFUSAL


def test_a_stage_that_fails_lets_nothing_through_and_tells_no_details() -> None:
    reply, seen = answered(guard(Crashes()))
    assert (reply.text, reply.blocked, seen) == (REFUSAL, "s0: the stage failed: ValueError", [])


def test_an_invalid_reply_stays_what_it_is() -> None:
    reply, _ = answered(guard(Says(Level.BLOCK, out=True)), Reply(invalid="status 500"))
    assert (reply.invalid, reply.blocked) == ("status 500", "")


def test_a_conversation_keeps_its_words_and_nobody_else_has_them() -> None:
    later = replace(ASKED, messages=(*ASKED.messages, Message(role=Role.ASSISTANT, text="hi")))
    other = replace(ASKED, messages=(ASKED.messages[0], Message(role=Role.USER, text="bye")))
    one = Guard(key=b"one")
    assert one.context(ASKED) == one.context(later)
    assert len({one.context(ASKED).canary, one.context(other).canary, Guard(key=b"two").context(ASKED).canary}) == 3


def test_the_digest_is_that_of_what_decides() -> None:
    assert guard(Says(Level.BLOCK)).digest == guard(Says(Level.BLOCK)).digest
    assert len({guard().digest, guard(Says(Level.BLOCK)).digest, Guard(trusted=("x",)).digest}) == 3


def test_a_stage_named_twice_and_an_unknown_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="no plugin 'nothing'"):
        Guard.of([("nothing", {})])
    with pytest.raises(ConfigError, match="twice"):
        Guard.of([("nothing", {}), ("nothing", {})])
