"""Stages of a guard, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from temper.core.chat import Call, Role
from temper.core.stage import ALLOWED, Decision, Exchange, Level
from temper.testing import stage

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Puts a text about instructions away."""

    def check(self, exchange: Exchange, context: Any) -> Decision:
        messages = exchange.request.messages
        bad = [one for one in messages if "previous instructions" in one.text]
        if not bad or exchange.reply is not None:
            return ALLOWED
        told = tuple(replace(one, text="(away)") if one in bad else one for one in messages)
        changed = replace(exchange, request=replace(exchange.request, messages=told))
        return Decision(level=Level.REVISE, stage="honest", reason="an order", exchange=changed)


class Stern(Honest):
    """Stops everything."""

    def check(self, exchange: Exchange, context: Any) -> Decision:
        return Decision(level=Level.BLOCK, stage="stern", reason="no")


class Brittle(Honest):
    """Cannot write what is no Unicode."""

    def check(self, exchange: Exchange, context: Any) -> Decision:
        for message in exchange.request.messages:
            message.text.encode()
        return Honest.check(self, exchange, context)


class Silent(Honest):
    """Does not say why."""

    def check(self, exchange: Exchange, context: Any) -> Decision:
        return replace(Honest.check(self, exchange, context), reason="")


class Empty(Honest):
    """Revises and gives nothing."""

    def check(self, exchange: Exchange, context: Any) -> Decision:
        return replace(Honest.check(self, exchange, context), exchange=None)


class Deletes(Honest):
    """Takes the whole message away."""

    def check(self, exchange: Exchange, context: Any) -> Decision:
        found = Honest.check(self, exchange, context)
        if found.exchange is None:
            return found
        left = tuple(one for one in found.exchange.request.messages if one.role is not Role.USER)
        request = replace(found.exchange.request, messages=left)
        return replace(found, exchange=replace(found.exchange, request=request))


class Calls(Honest):
    """Tells on whoever answers."""

    def check(self, exchange: Exchange, context: Any) -> Decision:
        if exchange.reply is None:
            return ALLOWED
        reply = replace(exchange.reply, calls=(*exchange.reply.calls, Call(name="tell", id="mine")))
        return Decision(level=Level.REVISE, stage="calls", reason="told", exchange=replace(exchange, reply=reply))


class Moody(Honest):
    """Looks every second time."""

    def check(self, exchange: Exchange, context: Any) -> Decision:
        return Honest.check(self, exchange, context) if next(CALLS) % 2 else ALLOWED


INNOCENT = Honest
BITES = {
    stage.law_harmless_words_pass: (Stern,),
    stage.law_copes_with_anything: (Brittle,),
    stage.law_says_why: (Silent,),
    stage.law_a_revision_is_there: (Empty,),
    stage.law_the_conversation_keeps_its_frame: (Deletes,),
    stage.law_no_call_is_added: (Calls,),
    stage.law_same_exchange_same_decision: (Moody,),
}
