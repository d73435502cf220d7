"""One layer of the guard, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from temper.core.chat import Reply, Request


class Level(IntEnum):
    """What is done with a question or an answer; of several layers the worst wins."""

    ALLOW = 0
    REVISE = 1
    REVIEW = 2
    BLOCK = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a stage looks at: the question with the conversation so far, and, on the way out, the answer."""

    request: Request
    reply: Reply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What stages share about one exchange: `canary` and `nonce` are fresh random words of this question, `trusted`
    are recipients, hosts and accounts that may receive something, `approved` what a human has let through, `client`
    who asks.
    """

    canary: str = ""
    nonce: str = ""
    trusted: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()
    client: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """ALLOW, or what else with its `reason` and the piece of text that shows it; REVISE carries the replacement."""

    level: Level = Level.ALLOW
    stage: str = ""
    reason: str = ""
    span: str = ""
    exchange: Exchange | None = None


ALLOWED = Decision()
"""Nothing to object to."""


class Stage(Protocol):
    """A layer: a frozen keyword-only dataclass in one file of `guard/stages`. It holds no state of a conversation:
    all it may know stands in the exchange, so the same layer works in a program, in a proxy and on a recording.
    """

    def check(self, exchange: Exchange, context: Context) -> Decision:
        """The decision on a question (`exchange.reply` is None) or on an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the guard decided in all: the worst level, the exchange as revised, and every decision but ALLOW."""

    level: Level
    exchange: Exchange
    decisions: tuple[Decision, ...] = ()

    @property
    def halts(self) -> bool:
        """Whether nothing may go on: it is blocked, or waits for a human without a version that may go meanwhile."""
        waits = any(one.level is Level.REVIEW and one.exchange is None for one in self.decisions)
        return waits or self.level is Level.BLOCK
