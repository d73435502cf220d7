"""temper.yaml of an assistant: how it is reached, its instructions, and the sandbox it works in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.config.description import ABOUT, LEVELS, described
from temper.config.description import SECTIONS as DESCRIBED
from temper.config.document import Listing, Scalar, Section, as_number
from temper.config.goals import goals, labelled
from temper.config.guard import audit_of, key_file_of, stages_of
from temper.config.keeping import KEEPING
from temper.config.people import people
from temper.config.policy import from_node
from temper.config.reading import read
from temper.config.risk import stakes_of
from temper.core.assistant import CANARY, UNTRUSTED, Assistant, Service, UserTask
from temper.core.chat import Call, ChatTarget, Tool
from temper.core.errors import ConfigError
from temper.core.system import Exposure
from temper.targets.chat.anthropic import Anthropic
from temper.targets.chat.function import ChatFunction
from temper.targets.chat.limits import Limits
from temper.targets.chat.line import Line
from temper.targets.chat.openai import OpenAI
from temper.targets.chat.template import Template
from temper.targets.chat.transformers import Transformers
from temper.targets.function import find

EFFECTS = ("", "money", "mail", "web", "memory", "data")
"""What a tool's call would do outside the sandbox."""

_SECTIONS = (
    *("system", "assistant", "sandbox", "policy", "guard", "attacker", "goals", "judge", "monitor", "console", "risk"),
    "campaign",
    *DESCRIBED,
    *KEEPING,
)
_PROTOCOLS = ("openai", "anthropic", "template")
_CAPS = ("in_flight", "requests_per_minute", "tokens_per_minute", "timeout", "deadline", "retries")
_LIMITS = (*_CAPS, "max_requests", "max_tokens", "max_cost", "price")


def is_assistant(path: str | Path) -> bool:
    """Whether this temper.yaml describes an assistant."""
    return read(Path(path)).has("assistant")


def load_assistant(path: str | Path) -> Assistant:
    """The assistant in this temper.yaml. Raises `ConfigError` with file, line, what was expected and what came."""
    path = Path(path)
    document = read(path).only(*_SECTIONS)
    base = path.absolute().parent
    about = document.section("system").only(*ABOUT)
    section = document.section("assistant")
    sandbox = _sandbox(document, base)
    return Assistant(
        name=about.text("name", base.name),
        purpose=about.text("purpose"),
        harmed=about.text("harmed"),
        criticality=about.word("criticality", LEVELS, "medium"),
        description=described(document, (), Exposure(), _elements(sandbox)),
        stakes=stakes_of(document),
        lines=dict(document.every_line()),
        simulated=about.flag("simulated", False),
        target=_target(section, base),
        instructions=_instructions(section, sandbox, base),
        services=tuple(_service(entry) for entry in sandbox.sections("tools")),
        tasks=tuple(_task(entry) for entry in sandbox.sections("tasks")),
        trusted=sandbox.texts("trusted"),
        people=people(sandbox),
        attacker=_target(document.section("attacker"), base) if document.has("attacker") else None,
        **_own_goals(document, base),
        guard=tuple((name, _placed(options, base)) for name, options in stages_of(document)),
        guard_key=key_file_of(document, base),
        audit=audit_of(document, base),
        policy=from_node(document, "policy", base, "assistant"),
        source=str(path),
        most_turns=section.whole("most_turns", 8),
        most_tokens=section.whole("most_tokens", 512),
    )


def _elements(sandbox: Section) -> tuple[str, ...]:
    """What an assistant's picture has without being named: who talks to it, what it reads, and its tools."""
    tools = (entry.text("name") for entry in sandbox.sections("tools"))
    return ("user", "outsider", "assistant", "instructions", "guard", *tools)


def sandbox_of(section: Section, target: ChatTarget, **about: Any) -> Assistant:
    """An assistant over `target` with the instructions, tools and tasks of a sandbox document."""
    return Assistant(
        target=target,
        instructions=section.text("instructions"),
        services=tuple(_service(entry) for entry in section.sections("tools")),
        tasks=tuple(_task(entry) for entry in section.sections("tasks")),
        trusted=section.texts("trusted"),
        people=people(section),
        **about,
    )


def _sandbox(document: Section, base: Path) -> Section:
    """The sandbox, written here or in a file of its own."""
    node = document.entries.get("sandbox")
    if isinstance(node, Scalar) and not node.empty:
        found = read(base / node.text)
    else:
        found = document.section("sandbox")
    return found.only("instructions", "trusted", "people", "tools", "tasks")


def _instructions(section: Section, sandbox: Section, base: Path) -> str:
    text = section.text("instructions") or sandbox.text("instructions")
    file = base / text
    return file.read_text(encoding="utf-8") if text.endswith((".txt", ".md")) and file.is_file() else text


_KNOWN = (
    *("protocol", "url", "callable", "folder", "device", "model", "headers", "settings", "stream", "version"),
    *("authorised_by", "limits", "body", "answer", "path", "instructions", "most_turns", "most_tokens"),
)


def _placed(options: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """A stage's options, with the files that lie beside temper.yaml found from anywhere."""

    def found(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return tuple(found(one) for one in value)
        beside = isinstance(value, str) and value != "" and (base / value).is_file()
        return str(base / value) if beside else value

    return {name: found(value) for name, value in options.items()}


def _own_goals(document: Section, base: Path) -> dict[str, Any]:
    """The user's own goals, the model that judges those stated in words, and replies whose truth is known."""
    judge = document.section("judge")
    own = goals(document, judged=document.has("judge"))
    if not document.has("judge"):
        return {"goals": own}
    file = judge.text("labelled")
    replies = labelled(base / file, own) if file else ()
    return {"goals": own, "judge": _target(judge, base, "labelled"), "labelled": replies}


def _target(section: Section, base: Path, *more: str) -> ChatTarget:
    section.only(*_KNOWN, *more)
    if sum(section.has(key) for key in ("callable", "url", "folder")) != 1:
        words = "an assistant has a url, a callable, or the folder of a checkpoint"
        raise section.error(words, "url", fix="add `url: http://host/v1`")
    if section.has("callable"):
        module, _, name = section.text("callable").rpartition(":")
        call = find(f"{base / module}:{name}" if module.endswith(".py") else section.text("callable"))
        return ChatFunction(call=call, version=section.text("version"), tools=True)
    if section.has("folder"):
        return Transformers(
            folder=str(base / section.text("folder")),
            settings=_value(section.section("settings")),
            device=section.text("device", "cpu"),
            version=section.text("version"),
        )
    return _remote(section)


def _remote(section: Section) -> ChatTarget:
    line = Line(
        url=section.text("url").rstrip("/"),
        limits=_limits(section.section("limits")),
        headers=section.section("headers").plain(),
        authorised_by=section.text("authorised_by"),
    )
    version = section.text("version")
    settings = _value(section.section("settings"))
    match section.word("protocol", _PROTOCOLS, "openai"):
        case "anthropic":
            return Anthropic(line=line, model=section.needed("model"), settings=settings, version=version)
        case "template":
            body, answer = _value(section.section("body")), section.needed("answer")
            return Template(line=line, body=body, answer=answer, path=section.text("path"), version=version)
    stream = section.flag("stream", False)
    return OpenAI(line=line, model=section.needed("model"), settings=settings, stream=stream, version=version)


def _limits(section: Section) -> Limits:
    section.only(*_LIMITS)
    given: dict[str, Any] = {}
    for key in _LIMITS:
        if key == "price" or not section.has(key):
            continue
        whole = key in ("in_flight", "retries", "max_requests", "max_tokens")
        given[key] = section.whole(key, 0) if whole else section.maybe(key)
    price = section.numbers("price")
    if price and len(price) != 2:
        raise section.error("price has two numbers: per million tokens read and written", "price")
    return Limits(**given, price=(price[0], price[1]) if price else (0.0, 0.0))


def _service(section: Section) -> Service:
    section.only("name", "description", "parameters", "results", "effect", "carrier")
    tool = Tool(
        name=section.needed("name"),
        description=section.text("description"),
        parameters=_value(section.section("parameters")),
    )
    results = tuple(
        (_value(entry.only("when", "text").section("when")), entry.text("text"))
        for entry in section.sections("results")
    )
    carrier, effect = section.text("carrier", "document"), section.word("effect", EFFECTS, "")
    return Service(tool=tool, results=results or (({}, "done"),), effect=effect, carrier=carrier)


def _task(section: Section) -> UserTask:
    section.only("id", "prompt", "calls", "contains", "reads")
    calls = tuple(
        Call(name=entry.needed("name"), arguments=json.dumps(_value(entry.section("arguments"))))
        for entry in (call.only("name", "arguments") for call in section.sections("calls"))
    )
    return UserTask(
        id=section.needed("id"),
        prompt=section.needed("prompt"),
        calls=calls,
        contains=section.texts("contains"),
        reads=section.text("reads"),
    )


def _value(node: Any) -> Any:
    """Plain values with numbers and truths as such: what goes into JSON."""
    if isinstance(node, Section):
        return {key: _value(value) for key, value in node.entries.items()}
    if isinstance(node, Listing):
        return [_value(value) for value in node.items]
    if not isinstance(node, Scalar):
        raise ConfigError("a value is missing")
    if node.quoted:
        return node.text
    number = as_number(node.text)
    if number is not None:
        return int(number) if number == int(number) and "." not in node.text else number
    return {"true": True, "false": False, "null": None}.get(node.text.lower(), node.text)


__all__ = ["CANARY", "EFFECTS", "UNTRUSTED", "is_assistant", "load_assistant", "sandbox_of"]
