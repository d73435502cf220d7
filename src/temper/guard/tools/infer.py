"""Rules for tools nobody has written rules for, from their names, their descriptions and their arguments' schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from temper.core.chat import Tool
from temper.guard.tools.policy import Argument, Kind, Rules, ToolRule, usual
from temper.guard.tools.trust import ELSE, NUMBERED, RECORD, Source, Trust
from temper.guard.tools.words import AMOUNTS, CONTENT, EFFECTS, LISTS, READ, SECRETS, SINKS, stem, stems


def completed(rules: Rules, tools: Sequence[Tool]) -> Rules:
    """The rules with what is not written about these tools inferred; what is written stands.

    Misleads where names say nothing or lie: `do(x)` is taken for a change of data with a harmless argument, and a tool
    called `get_report` that mails it for one that only reads.

    >>> pay = Tool(name="pay", parameters={"properties": {"iban": {"type": "string"}, "amount": {"type": "number"}}})
    >>> rule = completed(Rules(), [pay]).tools["pay"]
    >>> rule.effect, [f"{name}: {one.kind}" for name, one in rule.arguments.items()]
    ('money', ['iban: sink', 'amount: amount'])
    """
    sources = {tool.name: source(tool) for tool in tools} | dict(rules.sources)
    known = {tool.name: _over(rules.tools.get(tool.name), tool_rule(tool)) for tool in tools}
    return Rules(plan=rules.plan, links=rules.links, sources=sources, tools=dict(rules.tools) | known)


def _over(written: ToolRule | None, guessed: ToolRule) -> ToolRule:
    if written is None:
        return guessed
    return ToolRule(
        effect=written.effect,
        arguments={**guessed.arguments, **written.arguments},
        calls=written.calls,
        after_outside=written.after_outside,
        otherwise=written.otherwise,
    )


def tool_rule(tool: Tool) -> ToolRule:
    """The effect of a tool and what its arguments are."""
    properties = tool.parameters.get("properties", {})
    schemas: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    effect = _effect(tool, schemas)
    return ToolRule(effect=effect, arguments={name: argument(name, schema) for name, schema in schemas.items()})


def _effect(tool: Tool, schemas: Mapping[str, Any]) -> str:
    """One that reads has no effect, but for pages: their address tells the host something."""
    said = stems(tool.name) | stems(tool.description)
    reads = stem(_first(tool.name)) in READ
    if reads:
        return "web" if any(stems(name) & {"url", "uri", "link"} for name in schemas) else ""
    in_name = (effect for effect, words in EFFECTS.items() if stems(tool.name) & words)
    in_text = (effect for effect, words in EFFECTS.items() if said & words)
    named = next(in_name, "")
    return (next(in_text, "") if named in ("", "data") else named) or "data"


def _first(name: str) -> str:
    return name.replace("-", "_").split("_")[0]


def argument(name: str, schema: Any) -> Argument:
    """What an argument is, from its name, the type in its schema and what that says of it."""
    about: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
    words = stems(name)
    numeric = about.get("type") in ("number", "integer")
    if about.get("type") == "boolean":
        return Argument()
    if words & SECRETS:
        return Argument(kind=Kind.SINK, least=Trust.USER)
    if numeric and words & AMOUNTS:
        return Argument(kind=Kind.AMOUNT)
    mailed = "address" in name and "mail" in stems(str(about.get("description", "")))
    if words & SINKS or mailed:
        return Argument(kind=Kind.SINK, least=usual(Kind.SINK))
    return Argument()


def source(tool: Tool) -> Source:
    """How far results are trusted: what people write is OUTSIDE but for its numbers; in records, the fields a system
    fills itself are OWN, and so is a result that is nothing but one value or a list of values.
    """
    named = stems(re.split(r"(?i)_by_", tool.name)[0])
    written = named & CONTENT or (stems(tool.description) & CONTENT and not named & LISTS)
    if stem(_first(tool.name)) not in READ:
        return {ELSE: Trust.OUTSIDE}
    return NUMBERED if written else RECORD
