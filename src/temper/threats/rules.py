"""Applicability: a threat becomes a scenario when every answer it requires matches; else one answer excludes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from temper.core.budget import Budget
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.core.text import TextSchema
from temper.core.threat import Actor, Excluded, Scenario, Threat
from temper.threats.taxonomies import maturity

OUTSIDER = Actor(name="outsider")
NOBODY = Actor(name="nobody", knowledge="none", queries=0)
SUPPLIER = Actor(name="supplier", knowledge="white-box", queries=0, writes=("model store", "dependencies"))
RATINGS = ("low", "medium", "high", "critical")
_AT_HOME = 300.0  # seconds for one shard of rows
_ADVERSARIAL = ("integrity", "availability", "confidentiality", "privacy", "supply chain")


@cache
def catalogue(of: str = "") -> tuple[Threat, ...]:
    """Every threat Temper knows to a model, in the order of the shipped files; `of` "assistant": to an assistant."""
    import yaml

    entries: list[dict[str, Any]] = []
    for path in sorted((Path(__file__).parent / "catalogue" / of).glob("*.yaml")):
        entries += yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(_threat(entry) for entry in entries)


def scenarios(system: Protected) -> tuple[tuple[Scenario, ...], tuple[Excluded, ...]]:
    """The scenarios of this system, each with its because, and what was left out, each with its why not."""
    known = answers(system)
    kept: list[Scenario] = []
    left_out: list[Excluded] = []
    for threat in catalogue():
        found = [(actor, misses(threat, known | _of(actor))) for actor in _actors(threat, system)]
        kept += [_scenario(threat, actor, system) for actor, missed in found if not missed]
        if all(missed for _, missed in found):
            left_out.append(excluded(threat, min((missed for _, missed in found), key=len)))
    return tuple(kept), tuple(left_out)


def raised(system: Protected, otherwise: Mapping[str, str]) -> frozenset[str]:
    """The threats that would apply if these answers were otherwise."""
    known = answers(system)
    return frozenset(
        threat.id
        for threat in catalogue()
        if any(not misses(threat, {**known, **_of(actor), **otherwise}) for actor in _actors(threat, system))
    )


def misses(threat: Threat, known: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which answers exclude the threat: each with what it is and would have to be, in words."""
    return [
        (key, f"{key} is {known.get(key, 'unknown')}, it takes {wanted.replace('|', ' or ')}")
        for key, wanted in threat.requires
        if known.get(key, "no") not in wanted.split("|")
    ]


def excluded(threat: Threat, missed: Sequence[tuple[str, str]]) -> Excluded:
    """The threat as left out by the first of these answers."""
    return Excluded(threat=threat, answer=missed[0][0], why=missed[0][1])


def _of(actor: Actor) -> dict[str, str]:
    """What there is to ask of an actor."""
    return {"actor.knowledge": actor.knowledge}


def answers(system: Protected) -> dict[str, str]:
    """The system description as plain answers; this is all that rules may ask."""
    exposure, schema, target = system.exposure, system.schema, system.target
    movable = bool(len(schema.movable)) if schema.columns else True
    return {
        "exposure.public": _yes(exposure.public),
        "exposure.returns": exposure.returns,
        "exposure.explains": _yes(exposure.explains),
        "exposure.retrained": _yes(exposure.retrained),
        "exposure.outside_data": _yes(exposure.outside_data),
        "exposure.personal_data": _yes(exposure.personal_data),
        "schema.movable": _yes(movable),
        "schema.columns": _yes(bool(schema.columns)),
        "schema.sensitive": _yes(any(column.sensitive for column in schema.columns)),
        "stress.relations": _yes(bool(system.options.get("validation.metamorphic"))),
        "system.described": _yes(bool(system.options.get("validation.documentation"))),
        "assess.recurrences": _yes(bool(system.options.get("validation.recurrence"))),
        "data.train": _yes(system.train is not None),
        "data.accepted": _yes(system.train is not None and system.accepted is not None),
        "data.events": _yes(system.events is not None),
        "data.time": _yes(system.data.time is not None),
        "data.supplier": _yes(system.train is not None and system.train.supplier is not None),
        "data.form": _form(system),
        "data.labelled_classes": _yes(target.kind is not ScoreKind.VALUE),
        "model.retrain": _yes(Access.RETRAIN in target.access),
        "model.classes": str(target.classes),
        "model.trees": _yes(Access.TREES in target.access),
        "model.gradients": _yes(Access.GRADIENTS in target.access),
        "model.votes": _yes(hasattr(target, "votes")),
        "model.marked": _yes(hasattr(target, "triggers")),
        "service.url": _yes(system.service is not None),
    }


def _threat(entry: dict[str, Any]) -> Threat:
    return Threat(
        id=entry["id"],
        title=entry["title"],
        goal=entry["goal"],
        asset=entry["asset"],
        access=Access[entry["access"].upper()],
        plugins=tuple(entry["plugins"]),
        requires=tuple((key, str(wanted)) for key, wanted in entry["requires"].items()),
        harm=entry["harm"],
        references=tuple(entry["references"]),
        defences=tuple(entry["defences"]),
        bounded=entry.get("bounded", True),
        family=entry["family"],
        maturity=maturity(entry["references"]),
    )


def _actors(threat: Threat, system: Protected) -> tuple[Actor, ...]:
    """Who can do it: everybody named for queries, those who write labels or training data for poisoning. A file comes
    from those who write to the model store or to what it depends on, and there is always somebody who does.
    """
    if threat.goal not in _ADVERSARIAL:
        return (NOBODY,)
    if threat.goal == "supply chain":
        return _writers(system.actors, *SUPPLIER.writes) or (SUPPLIER,)
    actors = system.actors or (OUTSIDER,)
    return (_writers(actors, "labels", "training data") if threat.access is Access.RETRAIN else ()) or actors


def _writers(actors: Sequence[Actor], *assets: str) -> tuple[Actor, ...]:
    """Those who write to one of the assets."""
    return tuple(actor for actor in actors if set(assets) & set(actor.writes))


def _scenario(threat: Threat, actor: Actor, system: Protected) -> Scenario:
    because = ", ".join(f"{key} is {wanted}" for key, wanted in threat.requires) or "it applies to every model"
    if actor is NOBODY or threat.goal == "supply chain":  # who writes the file asks nothing of the model
        return Scenario(threat=threat, actor=actor, rating=rating(threat, system.criticality), because=because)
    return Scenario(
        threat=threat,
        actor=actor,
        budget=_budget(threat, actor, system),
        rating=rating(threat, system.criticality),
        because=because,
    )


def _budget(threat: Threat, actor: Actor, system: Protected) -> Budget:
    """What the actor may spend on a row. Whoever holds the model searches it at home, so no query is counted there; his
    time is, with a limit that keeps a run bounded.
    """
    at_home = threat.access in (Access.TREES, Access.GRADIENTS)
    queries, seconds = (None, _AT_HOME) if at_home else (actor.queries, None)
    if not threat.bounded:
        return Budget(queries=queries, seconds=seconds, norm="l2")
    ball = actor.radius is not None or not system.schema.columns
    radius = actor.radius if actor.radius is not None else (0.03 * _span(system) if ball else None)
    return Budget(queries=queries, seconds=seconds, cost=actor.cost, norm=actor.norm if ball else "cost", radius=radius)


def rating(threat: Threat, criticality: str) -> str:
    """A prior until something is measured: the system's criticality, one lower where nobody attacks."""
    level = RATINGS.index(criticality if criticality in RATINGS else "medium") - (threat.goal not in _ADVERSARIAL)
    return RATINGS[max(level, 0)]


def _span(system: Protected) -> float:
    return float(system.schema.high - system.schema.low)


def _form(system: Protected) -> str:
    """What a row is: of a table, a vector, a text, a picture (channels, height, width), or of other shape."""
    if isinstance(system.schema, TextSchema) or system.schema.columns:
        return "table" if system.schema.columns else "texts"
    shape = getattr(system.data.x, "shape", ())
    return {2: "vectors", 4: "pictures"}.get(len(shape), "signals")


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"
