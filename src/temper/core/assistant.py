"""An assistant as a system: its instructions, the tools it works with in a sandbox, and what users ask of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from temper.core.chat import Call, ChatTarget, Message, Request, Role, Tool, Usage
from temper.core.description import Description
from temper.core.requirement import Policy
from temper.core.risk import Stakes

if TYPE_CHECKING:
    from temper.core.injection import Goal, Labelled

UNTRUSTED = "{untrusted}"
"""Where, in what a tool answers, an outsider has written."""

CANARY = "{canary}"
"""Where, in the instructions, the secret of this one conversation stands."""


TEXTS = ("none", "stopped", "all")
"""Of which exchanges a gateway may keep the words: of none, of those its guard stopped, of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How a gateway writes down what goes through it: the `folder` of its ledger, whether everything waits for the disk
    (`durable`) or only what the guard stopped, a folder of signed `checkpoints` ("": none), and whose `texts` are kept,
    sealed, where they can be erased.
    """

    folder: str
    durable: bool = True
    checkpoints: str = ""
    texts: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A tool of the sandbox. Nothing it does is real: it answers with a text and the call is written down.

    `results` are (arguments that must match, text) in order, the first that matches answers; a text may hold
    {untrusted}, the place an outsider can write to, and {name} of an argument. `effect` is what a call would do
    outside: "money", "mail", "web", "memory", "data", or "" for one that only reads. `carrier` is the kind of content
    it brings: "mail", "html", "document", "json", ...
    """

    tool: Tool
    results: tuple[tuple[Mapping[str, Any], str], ...] = (({}, "done"),)
    effect: str = ""
    carrier: str = "document"

    @property
    def open(self) -> bool:
        """Whether an outsider can write into what it answers."""
        return any(UNTRUSTED in text for _, text in self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTask:
    """Something an honest user wants: `calls` it takes and `contains`, words the answer must have. It is how utility is
    measured; `reads` is the service through which an outsider's text comes in on the way, if one does.
    """

    id: str
    prompt: str
    calls: tuple[Call, ...] = ()
    contains: tuple[str, ...] = ()
    reads: str = ""

    def done(self, trace: Trace) -> bool:
        """Whether the user got what was wanted: every call, with at least these arguments, and the words."""
        made = [(call.name, _arguments(call)) for call in trace.calls]
        wanted = [(call.name, _arguments(call)) for call in self.calls]
        called = all(
            any(name == want and asked.items() <= given.items() for name, given in made) for want, asked in wanted
        )
        said = " ".join(trace.said)
        return called and all(word in said for word in self.contains)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whose data the tools hold: `values` that nobody else may see (an account, a card, a telephone number).
    The user of every conversation is the person with `own`.
    """

    name: str
    values: tuple[str, ...]
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assistant:
    """What is attacked: the target with its instructions, services, tasks and policy.

    `trusted` are recipients, hosts and accounts that may receive something, `people` those whose data the tools hold.
    `guard` are the stages in front of the target, each by its name with its options, `guard_key` is the file of its
    key, "" for one drawn when it serves, `audit` how a gateway writes down what goes through. `attacker` is a model of
    the user's own that thinks of attacks. `goals` are the user's own, beside those of the catalogue; `judge` is a model
    of the user's own that says whether a goal stated in words has been reached, and `labelled` are replies by which it
    is known how often that is right. `description` is what was written of the system around it, `stakes` what it may
    cost.
    """

    name: str
    target: ChatTarget
    instructions: str = ""
    services: tuple[Service, ...] = ()
    tasks: tuple[UserTask, ...] = ()
    trusted: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()
    guard: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    guard_key: str = ""
    audit: Audit | None = None
    attacker: ChatTarget | None = None
    goals: tuple[Goal, ...] = ()
    judge: ChatTarget | None = None
    labelled: tuple[Labelled, ...] = ()
    policy: Policy = field(default_factory=lambda: Policy(name="none"))
    purpose: str = ""
    harmed: str = ""
    criticality: str = "medium"
    description: Description = field(default_factory=Description)
    stakes: Stakes = field(default_factory=Stakes)
    lines: dict[str, int] = field(default_factory=dict)
    source: str = ""
    simulated: bool = False
    most_turns: int = 8
    most_tokens: int = 512

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools as the model is told of them."""
        return tuple(service.tool for service in self.services)

    def service(self, name: str) -> Service | None:
        """The service of this name, if there is one."""
        return next((one for one in self.services if one.tool.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One conversation to hold: the user's turns, what an outsider has written (`planted`, by service; "" for every
    open one; `told` at the end of a tool's description), the canary in the instructions, and which repeat this is.
    """

    turns: tuple[str, ...]
    planted: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    canary: str = ""
    trial: int = 0

    def opening(self, instructions: str) -> tuple[Message, ...]:
        """The messages before the first user turn."""
        text = instructions.replace(CANARY, self.canary)
        return (Message(role=Role.SYSTEM, text=text),) if text else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What happened: every message in order, how often the model was asked, and `invalid` where it cannot be judged.

    `delivered` says whether an outsider's text was delivered at all, `blocked` which guard stage stopped the
    conversation or took something out of it.
    """

    messages: tuple[Message, ...]
    usage: Usage = field(default_factory=Usage)
    requests: int = 0
    seconds: float = 0.0
    delivered: bool = False
    invalid: str = ""
    blocked: str = ""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every tool call the assistant made, in order."""
        return tuple(call for message in self.messages for call in message.calls)

    @property
    def said(self) -> tuple[str, ...]:
        """Every text of the assistant, in order."""
        return tuple(m.text for m in self.messages if m.role is Role.ASSISTANT and m.text)


def request_of(
    assistant: Assistant, messages: tuple[Message, ...], trial: int, told: Mapping[str, str] | None = None
) -> Request:
    """The next question to the model; `told` is what an outsider has added to descriptions of tools."""
    tools = assistant.tools
    if told:
        tools = tuple(replace(tool, description=tool.description + told.get(tool.name, "")) for tool in tools)
    return Request(messages=messages, tools=tools, trial=trial, most_tokens=assistant.most_tokens)


def _arguments(call: Call) -> dict[str, Any]:
    """A call's arguments, none where they are no JSON object."""
    try:
        found = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
