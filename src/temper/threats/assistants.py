"""The threat model's side of an assistant: its answers, scenarios and picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from temper.core.assistant import CANARY, Assistant
from temper.core.description import Flow
from temper.core.threat import Actor, Excluded, Scenario, Threat
from temper.core.threat_model import Element
from temper.threats.picture import MAKING, OUTSIDE, SERVICE, merged, placed
from temper.threats.rules import SUPPLIER, catalogue, excluded, misses, rating

KIND = "assistant"
USER = Actor(name="user", queries=0, writes=("prompt",))
OUTSIDER = Actor(name="outsider", queries=0, writes=("outside text",))
_BY_USERS = ("disclosure", "rules", "overload")
_SHOWN = 5


def answers(assistant: Assistant) -> dict[str, str]:
    """The description of an assistant as plain answers; this is all that rules may ask."""
    effects = {service.effect for service in assistant.services}
    found = {
        "assistant.secret": bool(assistant.instructions.replace(CANARY, "").strip()),
        "assistant.people": any(not person.own for person in assistant.people),
        "assistant.outside_text": any(service.open for service in assistant.services),
        "assistant.moves_money": "money" in effects,
        "assistant.sends": bool(effects & {"mail", "web"}),
        "assistant.remembers": "memory" in effects,
        "assistant.own_goals": bool(assistant.goals),
        "assistant.checkpoint": type(assistant.target).__name__ == "Transformers",
    }
    return {key: "yes" if value else "no" for key, value in found.items()}


def scenarios(assistant: Assistant) -> tuple[tuple[Scenario, ...], tuple[Excluded, ...]]:
    """The scenarios of this assistant, each with its because, and what was left out, each with its why not."""
    known = answers(assistant)
    kept: list[Scenario] = []
    left_out: list[Excluded] = []
    for threat in catalogue(KIND):
        if missed := misses(threat, known):
            left_out.append(excluded(threat, missed))
            continue
        because = ", ".join(f"{key} is {wanted}" for key, wanted in threat.requires) or "it applies to every assistant"
        rated = rating(threat, assistant.criticality)
        kept.append(Scenario(threat=threat, actor=_actor(threat), rating=rated, because=because))
    return tuple(kept), tuple(left_out)


def raised(assistant: Assistant, otherwise: Mapping[str, str]) -> frozenset[str]:
    """The threats that would apply if these answers were otherwise."""
    known = answers(assistant) | dict(otherwise)
    return frozenset(threat.id for threat in catalogue(KIND) if not misses(threat, known))


def drawn(assistant: Assistant) -> tuple[tuple[Element, ...], tuple[Flow, ...]]:
    """Who talks to it, what it reads, what it can do; many tools are drawn as those outsiders write to and the rest."""
    tools = _tools(assistant)
    flows = merged(_inferred(assistant, tools), assistant.description.flows)
    named = [
        Element(name="user", kind="actor", boundary=OUTSIDE),
        *([Element(name="outsider", kind="actor", boundary=OUTSIDE)] if any(open_ for _, open_ in tools) else []),
        Element(name="assistant", kind="interface", boundary=SERVICE),
        Element(name="instructions", kind="store", boundary=SERVICE),
        *(Element(name=name, kind="process", boundary="tools") for name, _ in tools),
    ]
    if answers(assistant)["assistant.checkpoint"] == "yes":
        named.append(Element(name=SUPPLIER.name, kind="actor", boundary=OUTSIDE))
        named.append(Element(name="checkpoint", kind="store", boundary=MAKING))
    known = {one.name for one in named}
    ends = dict.fromkeys(name for flow in assistant.description.flows for name in (flow.source, flow.to))
    own = [Element(name=asset.name, kind="store", boundary=SERVICE) for asset in assistant.description.assets]
    own += [Element(name=one.name, kind="interface", boundary=SERVICE) for one in assistant.description.interfaces]
    own += [Element(name=name, kind="process", boundary="tools") for name in ends]
    for one in own:
        if one.name not in known:
            known.add(one.name)
            named.append(one)
    return placed(named, assistant.description), flows


def _actor(threat: Threat) -> Actor:
    if threat.goal == "supply chain":
        return SUPPLIER
    return USER if threat.family in _BY_USERS else OUTSIDER


def _tools(assistant: Assistant) -> list[tuple[str, bool]]:
    """(name, whether outsiders write to it) of what is drawn as a tool."""
    tools = [(service.tool.name, service.open) for service in assistant.services]
    if len(tools) <= _SHOWN:
        return tools
    written = sum(open_ for _, open_ in tools)
    both = [(f"{written} tools that outsiders write to", True), (f"{len(tools) - written} other tools", False)]
    return [one for one in both if not one[0].startswith("0 ")]


def _inferred(assistant: Assistant, tools: list[tuple[str, bool]]) -> Iterator[Flow]:
    yield Flow(source="user", to="assistant", carries="prompt")
    yield Flow(source="assistant", to="user", carries="answers")
    yield Flow(source="instructions", to="assistant", carries="instructions")
    for name, open_ in tools:
        yield Flow(source="assistant", to=name, carries="tool call")
        yield Flow(source=name, to="assistant", carries="tool result")
        if open_:
            yield Flow(source="outsider", to=name, carries="outside text")
    if answers(assistant)["assistant.checkpoint"] == "yes":
        yield Flow(source=SUPPLIER.name, to="checkpoint", carries="model file")
        yield Flow(source="checkpoint", to="assistant", carries="model file")
