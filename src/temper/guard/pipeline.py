"""The guard as a whole: its layers in order, the worst decision wins, and a layer that breaks stops the exchange."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from temper.core.assistant import Assistant
from temper.core.chat import Reply, Request, Role
from temper.core.errors import ConfigError, TemperError
from temper.core.room import Room
from temper.core.stage import Context, Decision, Exchange, Judged, Level, Stage
from temper.guard.secret import key_from, word
from temper.targets import _digest

STAGES = Room("temper.guard.stages")
ORDER = (
    *("limits", "normaliser", "rules", "linear", "canary", "decoys", "spotlight", "reminder"),
    *("permissions", "egress", "secrets", "output"),
)
"""What is cheap and what undoes disguises comes first; what rewrites a question comes after those who read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """`stages` are (name, layer) in the order in which they look at a question, and then at its answer.

    A layer sees what the ones before it made of the exchange (REVISE changed it for a reason, ALLOW may have added what
    the guard itself needs); the first BLOCK ends the round. A layer that raises BLOCKs, but for those in `fail_open`.
    `trusted` are recipients, hosts and accounts that may receive something. The canary and the nonce follow from `key`
    and the opening of the conversation: they stay the same from turn to turn, so nothing has to be remembered, and
    nobody without the key can guess them. Without a key a random one is drawn, and another guard draws another. An
    answer of more than `longest` characters is not read and not let out.

    >>> from temper.core.chat import Message
    >>> asked = Request(messages=(Message(role=Role.USER, text="hello"),))
    >>> judged = build([("canary", {})], key=b"k").before(asked)
    >>> judged.level.name, len(judged.exchange.request.messages)
    ('ALLOW', 2)
    """

    stages: tuple[tuple[str, Stage], ...]
    trusted: tuple[str, ...] = ()
    fail_open: tuple[str, ...] = ()
    longest: int = 250_000
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def __post_init__(self) -> None:
        names = [name for name, _ in self.stages]
        if not names:
            raise ConfigError("a guard without stages stops nothing", fix=f"there are: {', '.join(STAGES.names())}")
        if unknown := sorted(set(self.fail_open) - set(names)):
            raise ConfigError(f"fail_open names {unknown[0]!r}, which is no stage of this guard", fix=f"{names}")

    @property
    def digest(self) -> str:
        """What its decisions depend on: stages with their options, what is trusted, and the key. A stage that reads
        files has a `digest` of its own, of what they say.
        """
        mark = hmac.digest(self.key, b"which key", "sha256")
        stages = [(name, getattr(stage, "digest", stage)) for name, stage in self.stages]
        return _digest.of_object((stages, self.trusted, self.fail_open, self.longest, mark))

    def before(self, request: Request, *, client: str = "", approved: tuple[str, ...] = ()) -> Judged:
        """The decision on a question, with the question as the model is to see it."""
        return self._round(Exchange(request=request), self.context(request, client=client, approved=approved))

    def after(self, request: Request, reply: Reply, *, client: str = "", approved: tuple[str, ...] = ()) -> Judged:
        """The decision on an answer to this question (as it was asked, not as the model saw it)."""
        exchange = Exchange(request=request, reply=reply)
        if len(reply.text) + sum(len(call.arguments) for call in reply.calls) > self.longest:
            long = Decision(level=Level.BLOCK, stage="guard", reason=f"an answer of over {self.longest:,} characters")
            return Judged(level=Level.BLOCK, exchange=exchange, decisions=(long,))
        return self._round(exchange, self.context(request, client=client, approved=approved))

    def context(self, request: Request, *, client: str = "", approved: tuple[str, ...] = ()) -> Context:
        """What the layers share about this conversation."""
        opening = _opening(request, client)
        return Context(
            canary=word(self.key, b"canary", opening),
            nonce=word(self.key, b"nonce", opening),
            trusted=self.trusted,
            approved=approved,
            client=client,
        )

    def _round(self, exchange: Exchange, context: Context) -> Judged:
        kept: list[Decision] = []
        for name, stage in self.stages:
            decision = self._decided(name, stage, exchange, context)
            if decision.level > Level.ALLOW or decision.reason:
                kept.append(decision)
            if decision.level >= Level.BLOCK:
                break
            exchange = decision.exchange or exchange
        return Judged(
            level=max((one.level for one in kept), default=Level.ALLOW), exchange=exchange, decisions=tuple(kept)
        )

    def _decided(self, name: str, stage: Stage, exchange: Exchange, context: Context) -> Decision:
        """What the layer says, under the name it was configured by."""
        try:
            return replace(stage.check(exchange, context), stage=name)
        except Exception as crash:  # whatever a layer trips over must not let the exchange through
            level = Level.ALLOW if name in self.fail_open else Level.BLOCK
            return Decision(level=level, stage=name, reason=f"the stage failed: {type(crash).__name__}: {crash}"[:300])


def build(stages: Iterable[tuple[str, Mapping[str, Any]]], **about: Any) -> Guard:
    """A guard of the stages with these names and options; `about` are the fields of `Guard`. A name that stands there
    twice is numbered, so that no decision hides another's.
    """
    built: list[tuple[str, Stage]] = []
    for name, options in stages:
        again = sum(own == name or own.startswith(f"{name} ") for own, _ in built)
        built.append((f"{name} {again + 1}" if again else name, STAGES.build(name, dict(options))))
    return Guard(stages=tuple(built), **about)


def of_assistant(assistant: Assistant) -> Guard:
    """The guard that an assistant's temper.yaml sets before it; canaries follow from its `key_file`, or from a key
    drawn now.
    """
    if not assistant.guard:
        raise TemperError(f"{assistant.name} has no guard", fix="run temper harden, or write guard: into temper.yaml")
    key = {"key": key_from(Path(assistant.guard_key))} if assistant.guard_key else {}
    return build(assistant.guard, trusted=assistant.trusted, **key)


def in_order() -> tuple[str, ...]:
    """Every stage there is, in the order in which they serve each other; stages of other distributions come last."""
    names = STAGES.names()
    return (*(name for name in ORDER if name in names), *(name for name in names if name not in ORDER))


def why(judged: Judged) -> str:
    """The worst decision as "stage: reason", "" where there was nothing to object to.

    >>> why(Judged(level=Level.BLOCK, exchange=Exchange(request=Request(messages=())),
    ...            decisions=(Decision(level=Level.BLOCK, stage="limits", reason="too long"),)))
    'limits: too long'
    """
    worst = max(judged.decisions, key=lambda one: one.level, default=None)
    return f"{worst.stage}: {worst.reason}" if worst is not None else ""


def _opening(request: Request, client: str) -> bytes:
    """What stays the same while a conversation goes on: the instructions, the first question, the trial, the client."""
    told = [one.text for one in request.messages if one.role is Role.SYSTEM]
    first = next((one.text for one in request.messages if one.role is Role.USER), "")
    parts = [client, str(request.trial), *told, first]
    return b"".join(_sized(part.encode("utf-8", "surrogatepass")) for part in parts)


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big") + part
