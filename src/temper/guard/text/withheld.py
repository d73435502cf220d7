"""A tool's text that would stop a conversation is taken out of it instead, and the user's work goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from temper.core.chat import Message, Request, Role
from temper.core.stage import ALLOWED, Decision, Exchange, Level
from temper.guard.text.fresh import fresh, rewritten

_CUTS = re.compile(r'(?<=\n)|(?<=>)|(?=<)|(?=")|(?<=")')
"""Where a text comes apart: lines, tags, and the strings of JSON."""
_MOST = 400


def judged(exchange: Exchange, decide: Callable[[str, Role], Decision], withhold: bool = True) -> Decision:
    """The worst decision on what a user says and on what tools brought; `decide(text, role)` looks at one text.

    Where a user's text is to be stopped, the question is. A tool's text that is to be stopped is withheld: the question
    goes on with a notice in place of the lines, tags or strings that are met, or of the whole where these alone are
    harmless, and waits for a human in that respect only. Without `withhold` it stops the question too.
    """
    worst, hidden = ALLOWED, {}
    for at, said in _looked_at(exchange.request):
        decision = decide(said.text, said.role)
        if withhold and said.role is Role.TOOL and decision.level >= Level.REVIEW:
            hidden[at] = _less(said.text, decide, f"(withheld by the guard: {decision.stage})")
            decision = replace(decision, level=Level.REVIEW)
        elif decision.level >= Level.REVIEW:
            return decision
        worst = max(worst, decision, key=lambda one: one.level)
    return replace(worst, exchange=rewritten(exchange, hidden)) if hidden else worst


def _less(text: str, decide: Callable[[str, Role], Decision], notice: str) -> str:
    """The text without the pieces that are met; the notice alone where what is left would still be stopped."""
    pieces = _CUTS.split(text)
    if 1 < len(pieces) <= _MOST:
        met = [decide(piece, Role.TOOL).level >= Level.REVIEW for piece in pieces]
        rest = "".join(notice if bad else piece for piece, bad in zip(pieces, met, strict=True))
        if any(met) and decide(rest, Role.TOOL).level < Level.REVIEW:
            return rest
    return notice


def _looked_at(request: Request) -> Iterator[tuple[int, Message]]:
    """Places and messages: the user's that are fresh, and every tool's: a client that goes on sends the withheld text
    again with each question.
    """
    new = dict(fresh(request))
    for at, said in enumerate(request.messages):
        if said.role is Role.TOOL or at in new:
            yield at, said
