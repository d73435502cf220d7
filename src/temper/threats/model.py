"""The threat model of a system as people read it: scenarios folded into concerns, on the picture they travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from temper.core.assistant import Assistant
from temper.core.description import Flow
from temper.core.system import Protected
from temper.core.threat import Excluded, Scenario
from temper.core.threat_model import Concern, Element, ThreatModel, Way, Without
from temper.threats import assistants, picture, rules
from temper.threats.controls import answers_to, refuse_unknown
from temper.threats.questions import open_questions
from temper.threats.shipped import in_words, table
from temper.threats.taxonomies import MATURITIES

_KIND = ("data.form", "data.labelled_classes", "model.classes", "schema.columns")
"""Answers that say what kind of system it is, not what somebody decided about it."""


def threat_model(system: Protected | Assistant) -> ThreatModel:
    """Concerns, the worst first; what was left out, by the answer that excludes it; questions; the picture.

    Raises `ConfigError` for a control that answers nothing.
    """
    of: Any = assistants if isinstance(system, Assistant) else rules
    kept, left_out = of.scenarios(system)
    draws: Any = assistants if isinstance(system, Assistant) else picture
    elements, flows = draws.drawn(system)
    known = of.answers(system) | _of_file(system)
    refuse_unknown(system.description.controls, system.source or "controls")
    asked = "questions-assistant" if isinstance(system, Assistant) else "questions"
    fold = partial(_concern, kept=kept, system=system, known=known, elements=elements, flows=flows)
    return ThreatModel(
        system=system.name,
        purpose=system.purpose,
        harmed=system.harmed,
        concerns=_ordered([fold(family, members) for family, members in _folded(kept)]),
        scenarios=len(kept),
        without=_without(left_out, known),
        questions=open_questions(asked, system.description.answered, known, partial(of.raised, system)),
        boundaries=picture.boundaries(elements),
        elements=elements,
        flows=flows,
        digest=system.description.digest,
        reviewed=system.description.reviewed,
    )


def _of_file(system: Protected | Assistant) -> dict[str, str]:
    """Whether a model's file lies here, which Temper scans before it opens it."""
    return {"model.file": "yes" if "model.path" in system.lines else "no"}


def _folded(kept: Sequence[Scenario]) -> list[tuple[str, list[Scenario]]]:
    """Scenarios by family, and by actor where his own budget decides; in the order of the families."""
    families = table("families")
    groups: dict[tuple[str, str], list[Scenario]] = {}
    for scenario in sorted(kept, key=lambda one: list(families).index(one.threat.family)):
        family = scenario.threat.family
        alone = families[family].get("alone") and scenario.actor != rules.NOBODY
        groups.setdefault((family, scenario.actor.name if alone else ""), []).append(scenario)
    return [(family, members) for (family, _), members in groups.items()]


def _concern(
    family: str,
    members: Sequence[Scenario],
    *,
    kept: Sequence[Scenario],
    system: Protected | Assistant,
    known: Mapping[str, str],
    elements: Sequence[Element],
    flows: Sequence[Flow],
) -> Concern:
    about = table("families")[family]
    threats = list({one.threat.id: one.threat for one in members}.values())
    actors = {one.actor.name: one.actor for one in members if one.actor != rules.NOBODY}
    who = next(iter(actors), "") if about.get("alone") else ""
    seen = {threat.maturity for threat in threats}
    return Concern(
        id=f"{family}@{who}" if who else family,
        title=about["title"],
        rating=max((one.rating for one in members), key=rules.RATINGS.index),
        harm=threats[0].harm,
        actors=tuple(f"{one.name} ({one.knowledge})" for one in actors.values()),
        ways=tuple(Way(threat=one.id, title=one.title, plugins=one.plugins) for one in threats),
        because=_because(members, known),
        answers=answers_to(family, system.description, known),
        flows=picture.travelled(about, list(actors), elements, flows),
        references=tuple(dict.fromkeys(tag for threat in threats for tag in threat.references)),
        maturity=next((word for word in MATURITIES if word in seen), ""),
        alike=_alike(members, kept) if who else (),
    )


def _alike(members: Sequence[Scenario], kept: Sequence[Scenario]) -> tuple[str, ...]:
    """Other actors who may do the same within the same budgets: what is measured of them is measured of this one."""
    own = {one.threat.id: one.budget for one in members}
    same: dict[str, bool] = {}
    for one in kept:
        if one.threat.id in own and one.actor != members[0].actor:
            same[one.actor.name] = same.get(one.actor.name, True) and one.budget == own[one.threat.id]
    return tuple(name for name, agreed in same.items() if agreed)


def _because(members: Sequence[Scenario], known: Mapping[str, str]) -> tuple[str, ...]:
    """Every answer that one of the scenarios requires, in words, each once; what kind of system it is only where
    nothing else raised it.
    """
    pairs = dict.fromkeys(
        (key, one.actor.knowledge if key == "actor.knowledge" else known.get(key, "no"))
        for one in members
        for key, _ in one.threat.requires
    )
    telling = [pair for pair in pairs if pair[0] not in _KIND] or list(pairs)
    return tuple(in_words(key, value) for key, value in telling) or ("it applies to every system",)


def _without(left_out: Sequence[Excluded], known: Mapping[str, str]) -> tuple[Without, ...]:
    """Threats by the answer that leaves them out, so that one answer is read once."""
    groups: dict[str, list[Excluded]] = {}
    for one in left_out:
        groups.setdefault(one.answer, []).append(one)
    return tuple(
        Without(
            why=_why(key, members, known),
            answer=key if key == "actor.knowledge" else f"{key} is {known.get(key, 'no')}",
            threats=tuple(one.threat.id for one in members),
            titles=tuple(one.threat.title for one in members),
        )
        for key, members in groups.items()
    )


def _why(key: str, members: Sequence[Excluded], known: Mapping[str, str]) -> str:
    if key == "actor.knowledge":
        wanted = {value for one in members for at, value in one.threat.requires if at == key}
        return f"no actor is {' or '.join(sorted(wanted))}"
    return in_words(key, known.get(key, "no"))


def _ordered(concerns: Sequence[Concern]) -> tuple[Concern, ...]:
    return tuple(sorted(concerns, key=lambda one: -rules.RATINGS.index(one.rating)))
