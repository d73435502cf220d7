"""What speaks against a call: rule by rule, argument by argument, each with its reason."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from temper.core.chat import Call, Message, Request, Role, Tool
from temper.core.stage import Context, Level
from temper.guard.tools.infer import argument, completed, tool_rule
from temper.guard.tools.names import amount, carried, host, parts
from temper.guard.tools.plan import asked_for, left_open, wish
from temper.guard.tools.policy import OPEN, Argument, Kind, Rules, ToolRule
from temper.guard.tools.taint import Origin, Traces
from temper.guard.tools.trust import Piece, Trust, heard, leaves, structure
from temper.kernels.links import within

_SHOWN = 80
_YES_NO = ("True", "False")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a call is not let through: what is done with it, the argument it is about ("" for the whole call), a reason,
    and the value that shows it.
    """

    level: Level
    argument: str = ""
    reason: str = ""
    span: str = ""


def fingerprint(call: Call) -> str:
    """What stands for a call in `Context.approved`: its name and arguments, however they are spaced and ordered.

    >>> one, other = (Call(name="pay", arguments=text) for text in ('{"a": 1, "b": 2}', '{"b":2,"a":1}'))
    >>> fingerprint(one) == fingerprint(other)
    True
    """
    found = arguments_of(call)
    text = call.arguments if found is None else json.dumps(found, sort_keys=True)
    return hashlib.blake2b(f"{call.name}\0{text}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def arguments_of(call: Call) -> Mapping[str, Any] | None:
    """The arguments of a call; None where they are no JSON object, or name one twice: readers differ on these."""
    found = structure(call.arguments or "{}", yaml=False)
    return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The rules at work on one conversation."""

    rules: Rules
    traces: Traces
    tools: Mapping[str, Tool]
    wish: str
    outside: bool
    made: tuple[str, ...]
    context: Context = field(default_factory=Context)

    @classmethod
    def of(cls, rules: Rules, request: Request, context: Context) -> Ruling:
        """The written rules, completed for the tools that are offered, on this conversation."""
        whole = completed(rules, request.tools)
        pieces = heard(request.messages, whole.sources)
        allowed = [Piece(text=one, trust=Trust.USER, where="the allow-list", whole=True) for one in context.trusted]
        return cls(
            rules=whole,
            traces=Traces.of([*pieces, *allowed]),
            tools={tool.name: tool for tool in request.tools},
            wish=wish(request.messages),
            outside=any(piece.trust is Trust.OUTSIDE and piece.text for piece in pieces),
            made=_made(request.messages),
            context=context,
        )

    def objections(self, call: Call, before: Sequence[Call] = ()) -> list[Objection]:
        """Everything that speaks against a call that follows `before` in the same answer; nothing means it may go."""
        if fingerprint(call) in self.context.approved:
            return []
        given = arguments_of(call)
        if given is None:
            return [
                Objection(level=Level.REVISE, reason="its arguments are no JSON object", span=call.arguments[:_SHOWN])
            ]
        if self.tools and call.name not in self.tools:
            return [Objection(level=Level.REVISE, reason="no such tool is offered", span=call.name[:_SHOWN])]
        tool = self.tools.get(call.name) or Tool(
            name=call.name, parameters={"properties": {name: {} for name in given}}
        )
        rule = self.rules.tools.get(call.name) or tool_rule(tool)
        if not rule.effect:
            return []
        if not self._planned(tool, rule):  # nobody is asked about what nobody wanted
            found = [Objection(level=Level.REVISE, reason="the user did not ask for it")]
        else:
            found = [*self._counted(call, rule, before), *self._arguments(given, rule)]
        return [one if rule.otherwise is None else replace(one, level=rule.otherwise) for one in found]

    def _planned(self, tool: Tool, rule: ToolRule) -> bool:
        plan = self.rules.plan
        if isinstance(plan, tuple):
            return tool.name in plan
        return plan == OPEN or left_open(self.wish) or asked_for(tool, rule, self.wish)

    def _counted(self, call: Call, rule: ToolRule, before: Sequence[Call]) -> Iterator[Objection]:
        times = 1 + [*self.made, *(one.name for one in before)].count(call.name)
        if rule.calls is not None and times > rule.calls:
            yield Objection(level=Level.REVIEW, reason=f"call {times} of at most {rule.calls} for one request")

    def _arguments(self, given: Mapping[str, Any], rule: ToolRule) -> Iterator[Objection]:
        values = [(name, text) for name, value in given.items() for text in _texts(value)]
        rules = {name: rule.arguments.get(name) or argument(name, {}) for name in given}
        origins = [self._origin(text, rules[name]) for name, text in values]
        for at, (name, text) in enumerate(values):
            others = [one.trust for n, one in enumerate(origins) if n != at]
            yield from self._against(name, text, rules[name], self._vouched(origins[at], rules[name], others))
        yield from self._spread(values, rules, origins)
        dictated = all(one.trust >= Trust.OWN or values[at][1] in _YES_NO for at, one in enumerate(origins))
        if rule.after_outside and self.outside and not dictated:
            reason = "it follows a text from outside, and not all of it was said by the user"
            yield Objection(level=rule.after_outside, reason=reason)

    def _spread(
        self, values: Sequence[tuple[str, str]], rules: Mapping[str, Argument], origins: Sequence[Origin]
    ) -> Iterator[Objection]:
        """What an outsider wrote, words or an amount, goes only where the user said, and into the user's own things
        only from where somebody trusted pointed; not wherever a record allows.
        """
        found = [(name, text, rules[name].kind, origin) for (name, text), origin in zip(values, origins, strict=True)]
        where = min((origin.trust for _, _, kind, origin in found if kind is Kind.SINK), default=None)
        for name, text, kind, origin in found:
            told = kind is Kind.AMOUNT or (kind is Kind.PAYLOAD and " " in text.strip())
            if not told or origin.trust is not Trust.OUTSIDE:
                continue
            good = self._pointed(origin) >= Trust.INSIDE if where is None else where >= Trust.USER
            if not good:
                reason = f"{name} was {origin} and goes where the user did not say"
                yield Objection(level=Level.REVIEW, argument=name, reason=reason, span=text[:_SHOWN])

    def _pointed(self, origin: Origin) -> Trust:
        """How far the text is trusted by which a tool was asked for the place of a value."""
        return max((self.traces.origin(text).trust for text in origin.asked), default=Trust.MADE)

    def _vouched(self, origin: Origin, about: Argument, others: Sequence[Trust]) -> Origin:
        """A value from where a trusted text pointed ("you find it on her page"), in a call all else of which is said by
        trusted texts: as trusted as they are. Only where the rule is content with people of the house.
        """
        if about.kind is not Kind.SINK or about.least > Trust.INSIDE or origin.trust >= about.least or not others:
            return origin
        return replace(origin, trust=max(origin.trust, min(self._pointed(origin), *others)))

    def _origin(self, text: str, about: Argument) -> Origin:
        """Where a name was found or a passage was copied from; what lies under an allowed host is allowed."""
        if about.kind is Kind.PAYLOAD:
            return self.traces.copied(text)
        found = self.traces.origin(text)
        listed = min((self._listed(part) for part in parts(text)), key=lambda one: one.trust, default=found)
        return max(found, listed, key=lambda one: one.trust)

    def _listed(self, name: str) -> Origin:
        """A name's origin, where the allow-list speaks for hosts too."""
        at = host(name)
        if at and within(at, self.context.trusted):
            return Origin(trust=Trust.USER, where="the allow-list")
        return self.traces.origin(name)

    def _against(self, name: str, text: str, about: Argument, origin: Origin) -> Iterator[Objection]:
        if about.kind is not Kind.FREE and origin.trust < about.least:
            reason = f"{name} must come from {_at_least(about.least)}, it was {origin}"
            yield Objection(level=Level.REVIEW, argument=name, reason=reason, span=text[:_SHOWN])
        if about.most is not None and max(map(abs, amount(text)), default=math.inf) > about.most:
            reason = f"{name} is more than {about.most:g}, or no number"
            yield Objection(level=Level.REVIEW, argument=name, reason=reason, span=text[:_SHOWN])
        if about.kind is Kind.PAYLOAD:
            for inside in carried(text):
                origin = self._origin(inside, Argument(kind=Kind.SINK))
                if origin.trust < self.rules.links:
                    reason = f"{name} leads to an address that was {origin}"
                    yield Objection(level=Level.REVIEW, argument=name, reason=reason, span=inside[:_SHOWN])


def _at_least(least: Trust) -> str:
    words = {Trust.USER: "the user", Trust.OWN: "the user or a record", Trust.INSIDE: "people of the house"}
    return words.get(least, "a text in this conversation")


def _texts(value: Any) -> Iterator[str]:
    """Every value in an argument, and the keys in it that lead somewhere."""
    for key, text in leaves(value):
        yield text
        yield from carried(key)


def _made(messages: Sequence[Message]) -> tuple[str, ...]:
    """The names of the calls since the user spoke last."""
    last = max((at for at, message in enumerate(messages) if message.role is Role.USER), default=-1)
    return tuple(call.name for message in messages[last + 1 :] for call in message.calls)
