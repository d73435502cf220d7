"""The travel desk's assistant: a function of the conversation, and the chance that it obeys. SIMULATED."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

from temper.core.chat import Call, Reply, Request, Role, Usage
from temper.demos.assistant.held_out.character import Character
from temper.demos.assistant.held_out.doing import done
from temper.demos.assistant.held_out.errand import honest
from temper.demos.assistant.held_out.pressing import REFUSALS, Order, pressing

Step: TypeAlias = tuple[str, tuple[Call, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """Answers of one character. The same seed, trial and request give the same answer.

    An order that is pressed harder than the threshold of the trial is followed, and the errand goes on.

    >>> from temper.core.chat import Message
    >>> Clerk().answer(Request(messages=(Message(role=Role.USER, text="Hello!"),))).text
    'This is the travel desk. What can I do for your trip?'
    """

    character: Character = field(default_factory=Character)

    def answer(self, request: Request) -> Reply:
        """What it says or calls."""
        text, calls = honest(request)
        threshold, orders = self._orders(request, calls)
        for order, (followed, more) in orders:
            if order.pressure > threshold:
                text, calls = ("", more) if more else ("\n".join(filter(None, (text, followed))), ())
                break
            if order.role is Role.USER:
                text, calls = REFUSALS[_hash(request.trial, order.clause) % len(REFUSALS)], ()
        read = sum(len(message.text) for message in request.messages) // 4
        written = (len(text) + sum(len(call.arguments) for call in calls)) // 4 + 1
        return Reply(text=text, calls=calls, usage=Usage(read=read, written=written))

    def chance(self, request: Request) -> float:
        """The share of trials in which this request makes it follow an order that is not its owner's or user's own.

        Planted truth.
        """
        _, calls = honest(request)
        _, orders = self._orders(request, calls)
        hardest = max((order.pressure for order, _ in orders), default=0.0)
        low, high = self._range
        if hardest <= low:
            return 0.0
        return 1.0 if hardest > high else (hardest - low) / (high - low)

    @property
    def _range(self) -> tuple[float, float]:
        """Where thresholds lie; never below zero."""
        low, high = (max(0.0, self.character.caution + side * self.character.mood) for side in (-1, 1))
        return low, high

    def _orders(self, request: Request, calls: tuple[Call, ...]) -> tuple[float, list[tuple[Order, Step]]]:
        """The threshold of the trial, and the orders with what following each takes, hardest pressed first.

        Words wait until the errand is done. The hardest order, followed or not, tells conversations apart, so that the
        threshold stays what it is as a conversation goes on.
        """
        found = pressing(request, self.character)
        asked = next((message.text for message in request.messages if message.role is Role.USER), "")
        draw = _hash(self.character.seed, request.trial, asked, found[0].clause if found else "") / 2.0**64
        low, high = self._range
        steps = ((order, done(order, request)) for order in found)
        kept = [(order, step) for order, step in steps if step is not None and (step[1] or not calls)]
        return low + draw * (high - low), kept


def _hash(*parts: object) -> int:
    digest = hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
