"""What each tool may be given: rules per tool and argument, written in YAML, and how far each source is trusted.

    plan: locked                    # or open, or a list of the tools that may have an effect
    links: inside                   # who must have written an address that stands in what is said
    sources:
      get_account: own              # one trust for all of a tool's results: outside, inside, own, user
      list_payments: {recipient: own, id: own, else: outside}     # or one for each field
      list_channels: record         # fields a system fills itself are own; numbered: its numbers only
    tools:
      send_money:
        effect: money               # money, mail, web, memory, data; without one, arguments are free
        calls: 3                    # for one wish of the user's
        after_outside: review       # what was not dictated by user or records waits, once a text from outside was read
        otherwise: block            # what happens to a call that breaks a rule, in place of each rule's own
        arguments:
          recipient: sink           # where something goes or what is touched: from the user, the allow-list or a record
          amount: {kind: amount, most: 500}
          subject: payload          # what is said: may come from anywhere, but leads nowhere
          code: {kind: sink, from: user}

What is not written is inferred (`infer.completed`), `shown` prints the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from temper.config.document import Scalar, Section
from temper.config.reading import parse, read
from temper.config.yaml_text import flow
from temper.core.stage import Level
from temper.guard.tools.trust import ELSE, NUMBERED, RECORD, Source, Trust

EFFECTS = ("", "money", "mail", "web", "memory", "data")
"""What a tool's call would do; "" for one that only reads, whose arguments are free."""

LOCKED, OPEN = "locked", "open"
"""A locked plan allows only calls with an effect that the user's words ask for."""

_LEVELS = {"revise": Level.REVISE, "review": Level.REVIEW, "block": Level.BLOCK}
_NAMED: Mapping[str, Source] = {"record": RECORD, "numbered": NUMBERED}
_TRUSTS = tuple(trust.name.lower() for trust in Trust)


class Kind(StrEnum):
    """What an argument is to its tool: where it goes or what is touched (SINK), how much (AMOUNT), what is said
    (PAYLOAD), or nothing to worry about (FREE).
    """

    SINK = "sink"
    AMOUNT = "amount"
    PAYLOAD = "payload"
    FREE = "free"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A rule for one argument: its value must come from `least` or better; an amount is at most `most`."""

    kind: Kind = Kind.PAYLOAD
    least: Trust = Trust.MADE
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """A rule for one tool: its effect, its arguments, how many `calls` it may have for one word of the user's, and what
    happens to a call that was not dictated by trusted texts once something from outside was read (`after_outside`).
    `otherwise` is what happens to a call that breaks a rule; None leaves it to the rule.
    """

    effect: str = ""
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    calls: int | None = None
    after_outside: Level = Level.ALLOW
    otherwise: Level | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A whole policy. `plan` is "locked", "open", or the names of the tools that may have an effect; `links` is how far
    the writer of an address inside what is said must be trusted.
    """

    plan: str | tuple[str, ...] = LOCKED
    links: Trust = Trust.INSIDE
    sources: Mapping[str, Source] = field(default_factory=dict)
    tools: Mapping[str, ToolRule] = field(default_factory=dict)


@lru_cache(maxsize=32)
def load(path: str) -> Rules:
    """The policy in this file, read once. Raises `ConfigError` with file, line, what was expected and what came."""
    return rules_of(read(Path(path)))


def loads(text: str) -> Rules:
    """The policy in this text.

    >>> loads("tools: {pay: {effect: money, arguments: {to: sink}}}").tools["pay"].arguments["to"].least.name
    'OWN'
    """
    return rules_of(parse(text))


def rules_of(section: Section) -> Rules:
    """The policy in a document."""
    section.only("plan", "links", "sources", "tools")
    sources, tools = section.section("sources"), section.section("tools")
    listed = section.has("plan") and not isinstance(section.entries["plan"], Scalar)
    return Rules(
        plan=section.texts("plan") if listed else section.word("plan", (LOCKED, OPEN), LOCKED),
        links=_trust(section, "links", Trust.INSIDE),
        sources={name: _source(sources, name) for name in sources.entries},
        tools={name: _tool(tools.section(name)) for name in tools.entries},
    )


def _trust(section: Section, key: str, default: Trust) -> Trust:
    return Trust[section.word(key, _TRUSTS, default.name.lower()).upper()]


def _source(sources: Section, name: str) -> Source:
    if isinstance(sources.entries[name], Scalar):
        word = sources.word(name, (*_NAMED, *_TRUSTS), "outside")
        return _NAMED.get(word) or {ELSE: Trust[word.upper()]}
    fields = sources.section(name)
    return {key: _trust(fields, key, Trust.OUTSIDE) for key in fields.entries}


def _tool(section: Section) -> ToolRule:
    section.only("effect", "arguments", "calls", "after_outside", "otherwise")
    arguments = section.section("arguments")
    return ToolRule(
        effect=section.word("effect", EFFECTS, ""),
        arguments={name: _argument(arguments, name) for name in arguments.entries},
        calls=section.whole("calls", 0) if section.has("calls") else None,
        after_outside=_LEVELS.get(section.word("after_outside", ("allow", *_LEVELS), "allow"), Level.ALLOW),
        otherwise=_LEVELS[section.word("otherwise", tuple(_LEVELS), "")] if section.has("otherwise") else None,
    )


def _argument(arguments: Section, name: str) -> Argument:
    kinds = tuple(kind.value for kind in Kind)
    if isinstance(arguments.entries[name], Scalar):
        kind = Kind(arguments.word(name, kinds, Kind.PAYLOAD))
        return Argument(kind=kind, least=usual(kind))
    section = arguments.section(name).only("kind", "from", "most")
    kind = Kind(section.word("kind", kinds, Kind.PAYLOAD))
    return Argument(kind=kind, least=_trust(section, "from", usual(kind)), most=section.maybe("most"))


def usual(kind: Kind) -> Trust:
    """How far the value of such an argument must be trusted unless a policy says more."""
    return Trust.OWN if kind is Kind.SINK else Trust.MADE


def shown(rules: Rules) -> str:
    """The policy as YAML that `loads` reads back, so that what was inferred can be seen, kept and changed."""
    plan = rules.plan if isinstance(rules.plan, str) else flow(list(rules.plan))
    lines = [f"plan: {plan}", f"links: {rules.links.name.lower()}"]
    sources = {name: _source_text(one) for name, one in rules.sources.items()}
    tools = {name: _tool_text(one) for name, one in rules.tools.items()}
    for title, entries in (("sources", sources), ("tools", tools)):
        lines += [f"{title}:"] if entries else []
        lines += [f"  {flow({name: one})[1:-1]}" for name, one in entries.items()]
    return "\n".join(lines) + "\n"


def _source_text(source: Source) -> Any:
    known = next((word for word, one in _NAMED.items() if one == source), None)
    fields = {name: trust.name.lower() for name, trust in source.items()}
    return known or (fields[ELSE] if list(fields) == [ELSE] else fields)


def _tool_text(rule: ToolRule) -> dict[str, Any]:
    found: dict[str, Any] = {"effect": rule.effect} if rule.effect else {}
    found["arguments"] = {name: _argument_text(one) for name, one in rule.arguments.items()}
    if rule.calls is not None:
        found["calls"] = rule.calls
    if rule.after_outside is not Level.ALLOW:
        found["after_outside"] = rule.after_outside.name.lower()
    if rule.otherwise is not None:
        found["otherwise"] = rule.otherwise.name.lower()
    return found


def _argument_text(one: Argument) -> Any:
    if one == Argument(kind=one.kind, least=usual(one.kind)):
        return one.kind.value
    most = {} if one.most is None else {"most": one.most}
    return {"kind": one.kind.value, "from": one.least.name.lower(), **most}
