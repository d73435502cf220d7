"""Layers in a row: each may change what goes on, the worst decision wins, and a layer that fails stops everything."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from temper.core.chat import Reply, Request
from temper.core.errors import ConfigError
from temper.core.room import Room
from temper.core.stage import Context, Decision, Exchange, Judged, Level, Stage

STAGES = Room("temper.guard.stages")
ORDER = ("limits", "normaliser", "rules", "linear", "canary", "spotlight", "permissions", "egress", "secrets", "output")
"""What is cheap and what undoes disguises comes first; what rewrites a question comes after those who read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Stages by name, in order: on the way in as listed, on the way out likewise.

    It keeps nothing between calls. Canary and nonce of a conversation are derived from `key` and its first messages, so
    that every turn has the same ones and nobody without the key can guess them. `trusted` may receive something,
    `approved` are calls that a human let through. Misleads as its stages do; `temper redteam` measures what they stop.

    >>> Guard().before(Request(messages=())).level.name
    'ALLOW'
    """

    stages: tuple[tuple[str, Stage], ...] = ()
    trusted: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()
    key: bytes = field(default=b"temper", repr=False)

    @classmethod
    def of(cls, named: Sequence[tuple[str, Mapping[str, Any]]], trusted: Iterable[str] = (), **more: Any) -> Guard:
        """The guard with these stages, each by its name with its options."""
        if len({name for name, _ in named}) < len(named):
            raise ConfigError("a stage of the guard is named twice", fix="name each stage once, with all its options")
        built = tuple((name, STAGES.build(name, dict(options))) for name, options in named)
        return cls(stages=built, trusted=tuple(trusted), **more)

    @property
    def digest(self) -> str:
        """What its decisions depend on."""
        about = [[(name, repr(stage)) for name, stage in self.stages], self.trusted, self.approved, self.key.hex()]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()

    def before(self, request: Request) -> Judged:
        """What becomes of a question."""
        return self._judged(Exchange(request=request), self.context(request))

    def after(self, request: Request, reply: Reply, context: Context) -> Judged:
        """What becomes of an answer to this question, which is as the target saw it; `context` is that of `before`."""
        return self._judged(Exchange(request=request, reply=reply), context)

    def context(self, request: Request) -> Context:
        """What the stages share about the conversation of this question, as the client asked it."""
        opening = "\0".join(message.text for message in request.messages[:2]).encode("utf-8", "replace")
        words = hmac.new(self.key, opening, hashlib.sha256).hexdigest().upper()
        canary = f"{words[:4]}-{words[4:10]}-{words[10:14]}"
        return Context(canary=canary, nonce=words[14:22], trusted=self.trusted, approved=self.approved)

    def _judged(self, exchange: Exchange, context: Context) -> Judged:
        decisions = []
        for name, stage in self.stages:
            decision = _asked(name, stage, exchange, context)
            if decision.level is not Level.ALLOW:
                decisions.append(decision)
            exchange = decision.exchange or exchange
            if decision.level is Level.BLOCK:
                break
        level = max((decision.level for decision in decisions), default=Level.ALLOW)
        return Judged(level=level, exchange=exchange, context=context, decisions=tuple(decisions))


def _asked(name: str, stage: Stage, exchange: Exchange, context: Context) -> Decision:
    """The stage's decision; one that raises has not looked, so nothing goes through it."""
    try:
        return stage.check(exchange, context)
    except Exception as crash:
        return Decision(level=Level.BLOCK, stage=name, reason=f"the stage failed: {type(crash).__name__}")


def in_order() -> tuple[str, ...]:
    """Every stage there is, in the order in which they serve each other; stages of other distributions come last."""
    names = STAGES.names()
    return (*(name for name in ORDER if name in names), *(name for name in names if name not in ORDER))
