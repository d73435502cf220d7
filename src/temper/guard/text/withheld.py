"""A tool's text that would stop a conversation is taken out of it instead, and the user's work goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from temper.core.chat import Message, Request, Role
from temper.core.stage import ALLOWED, Decision, Exchange, Level
from temper.guard.text.fresh import fresh, rewritten


def judged(exchange: Exchange, decide: Callable[[str, Role], Decision], withhold: bool = True) -> Decision:
    """The worst decision on what a user says and on what tools brought; `decide(text, role)` looks at one text.

    Where a user's text is to be stopped, the question is. A tool's text that is to be stopped is withheld: the question
    goes on with a notice in its place, and waits for a human in that respect only. Without `withhold` it stops the
    question too.
    """
    worst, hidden = ALLOWED, {}
    for at, said in _looked_at(exchange.request):
        decision = decide(said.text, said.role)
        if withhold and said.role is Role.TOOL and decision.level >= Level.REVIEW:
            hidden[at] = f"(A text was withheld here: {decision.reason}.)"
            decision = replace(decision, level=Level.REVIEW)
        elif decision.level >= Level.REVIEW:
            return decision
        worst = max(worst, decision, key=lambda one: one.level)
    return replace(worst, exchange=rewritten(exchange, hidden)) if hidden else worst


def _looked_at(request: Request) -> Iterator[tuple[int, Message]]:
    """Places and messages: the user's that are fresh, and every tool's: a client that goes on sends the withheld text
    again with each question.
    """
    new = dict(fresh(request))
    for at, said in enumerate(request.messages):
        if said.role is Role.TOOL or at in new:
            yield at, said
