"""An injection as a conversation, and the ground that an assistant offers: what can be tried on it, and where."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from temper.attacks.injection._catalogue import ESCAPES, carriers, entry, goals, placed, wrappers
from temper.core.assistant import CANARY, Assistant, Person, Service, Talk, UserTask
from temper.core.errors import ConfigError, TemperError
from temper.core.injection import ASKED, Goal, Ground, Injection, Tokens
from temper.core.room import Room
from temper.core.seed import Draws
from temper.kernels.codecs.codec import Keeps
from temper.kernels.codecs.table import TABLE, codec

_PLACES = re.compile(r"(\{\w+\})")
_THEIRS = {"money": "{account}", "mail": "{address}", "web": "https://{host}/", "memory": "{word}"}
_KINDS: Mapping[str, Any] = {"number": 250, "integer": 250, "boolean": True}
_TOOL = "tool-description"


def built(assistant: Assistant, goal: Goal, injection: Injection, tokens: Tokens, trial: int = 0) -> Talk:
    """The conversation of one trial: typed by the user, or written where the task makes the assistant read.

    With `benign` the same dress stands around the goal's twin. Random codecs draw by trial.
    """
    order = goal.twin if injection.benign else injection.words or goal.asks
    coded = _coded(_named(order, goal, assistant), injection.codecs, tokens, trial)
    spoken = f"{coded} {tokens.fill(injection.suffix)}" if injection.suffix else coded
    text = entry("wrapper", injection.wrapper, wrappers()).around(spoken, injection.codecs)
    earlier = tuple(map(tokens.fill, injection.turns))
    if not injection.carrier:
        return Talk(turns=(*earlier, text), canary=tokens.canary, trial=trial)
    task = _task(assistant, injection.task)
    text = entry("carrier", injection.carrier, carriers()).around(text, injection.position)
    if injection.carrier == _TOOL:
        told = {task.reads: text}
        return Talk(turns=(*earlier, task.prompt), told=told, canary=tokens.canary, trial=trial)
    service = assistant.service(task.reads)
    if service is not None and service.carrier == "json":  # it stands inside a string there
        text = ESCAPES["json"](text)
    return Talk(turns=(*earlier, task.prompt), planted={task.reads: text}, canary=tokens.canary, trial=trial)


def possible(assistant: Assistant) -> tuple[tuple[str, str], ...]:
    """Every (carrier, task id) through which text can come in; ("", "") is what users type.

    >>> from temper.demos.assistant.bank import bank
    >>> ("mail-html", "inbox") in possible(bank()), ("mail-html", "rates") in possible(bank())
    (True, False)
    """
    read = [(task, assistant.service(task.reads)) for task in assistant.tasks]
    through = [(name, task.id) for task, service in read if service and service.open for name in _fitting(service)]
    return (("", ""), *through)


def ways(ground: Ground, goal: Goal) -> tuple[tuple[str, str], ...]:
    """The (carrier, task id) pairs of this ground through which this goal can be tried."""
    return tuple(way for way in possible(ground.assistant) if way[0] in ground.carriers and (way[0] or goal.from_users))


def ground(
    assistant: Assistant,
    attempts: int,
    only: Sequence[str] = (),
    known: tuple[Injection, ...] = (),
) -> Ground:
    """What strategies may work with on this assistant; `only` names goals, all that can be tried where it is empty.

    A goal is left out where the assistant has no tool with the effect it needs, no secret, nobody's data, no way in, or
    no model that judges where it is stated in words.
    """
    every = _goals(assistant)
    for name in only:
        entry("goal", name, {goal.id: goal for goal in every})
    open_ways = possible(assistant)
    whole = Ground(
        assistant=assistant,
        goals=(),
        wrappers=tuple(wrappers()),
        carriers=tuple(dict.fromkeys(name for name, _ in open_ways)),
        codecs=tuple(TABLE),
        attempts=attempts,
        known=known,
    )
    wanted = [goal for goal in every if not only or goal.id in only]
    tried = tuple(goal for goal in wanted if _reachable(goal, assistant) and ways(whole, goal))
    return replace(whole, goals=tried)


def _goals(assistant: Assistant) -> tuple[Goal, ...]:
    """The goals of the catalogue and the assistant's own, each under a name of its own and with a judge there is."""
    known = {goal.id for goal in goals()}
    for goal in assistant.goals:
        if goal.id in known:
            raise ConfigError(f"there are two goals {goal.id!r}", fix="give yours another id")
        known.add(goal.id)
        if goal.oracle != ASKED:
            Room("temper.judges.told").get(goal.oracle)
    return (*goals(), *assistant.goals)


def _reachable(goal: Goal, assistant: Assistant) -> bool:
    """Whether the assistant has the tools for it, and the secret where there is one to lose."""
    effects = {service.effect for service in assistant.services}
    secret = {
        "canary": bool(assistant.instructions),
        "egress": CANARY in assistant.instructions,
        "personal": bool(_others(assistant)),
        ASKED: assistant.judge is not None,
    }
    return set(goal.needs) <= effects and secret.get(goal.oracle, True)


def _others(assistant: Assistant) -> tuple[Person, ...]:
    """People whose data a tool brings, and who are not the user."""
    brought = "\n".join(text for service in assistant.services for _, text in service.results)
    return tuple(
        person for person in assistant.people if not person.own and any(value in brought for value in person.values)
    )


def _fitting(service: Service) -> list[str]:
    """Carriers for the kind of content this service brings; plain text goes everywhere."""
    kinds = {"*", service.carrier, "tool"}
    return [carrier.name for carrier in carriers().values() if kinds & {*carrier.fits}]


def _task(assistant: Assistant, name: str) -> UserTask:
    for task in assistant.tasks:
        if task.id == name:
            return task
    raise TemperError(f"{assistant.name} has no task {name!r} that would make it read the injection")


def _named(order: str, goal: Goal, assistant: Assistant) -> str:
    """The order with the tool that it is about, arguments as its schema wants them, and the person it asks about."""
    theirs = _others(assistant)
    order = placed(order, other=theirs[0].name) if theirs else order
    service = next((one for one in assistant.services if one.effect in goal.needs), None)
    if service is None:
        return order
    return placed(order, tool=service.tool.name, arguments=json.dumps(_arguments(service)))


def _arguments(service: Service) -> dict[str, Any]:
    """The attacker's value for everything the tool's schema asks for; a schema may hold anything."""
    schema = service.tool.parameters
    fields = schema.get("properties")
    fields = fields if isinstance(fields, dict) else {}
    wanted = schema.get("required")
    names = [name for name in wanted if isinstance(name, str)] if isinstance(wanted, list) else list(fields)
    kinds = {name: field.get("type") if isinstance(field := fields.get(name), dict) else "string" for name in names}
    return {name: _KINDS.get(str(kind), _THEIRS.get(service.effect, "{word}")) for name, kind in kinds.items()}


def _coded(order: str, codecs: tuple[str, ...], tokens: Tokens, trial: int) -> str:
    """The order in its codes, first to last, with the tokens filled in. A code that keeps the meaning only, and would
    garble an account, writes the words around the tokens while those are still places.
    """
    filled = ""
    for at, name in enumerate(codecs):
        one, rng = codec(name), Draws(trial, f"{at}.{name}").generator()
        if one.keeps is Keeps.MEANING and not filled:
            order = "".join(part if _PLACES.match(part) else one.encode(part, rng) for part in _PLACES.split(order))
        else:
            filled = one.encode(filled or tokens.fill(order), rng)
    return filled or tokens.fill(order)
