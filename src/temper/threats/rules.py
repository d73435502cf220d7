"""Applicability: a threat becomes a scenario when every answer it requires matches; else one answer excludes it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from temper.core.budget import Budget
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.core.text import TextSchema
from temper.core.threat import Actor, Excluded, Scenario, Threat

NOBODY = Actor(name="nobody", knowledge="none", queries=0)
SUPPLIER = Actor(name="supplier", knowledge="white-box", queries=0, writes=("model store", "dependencies"))
_RATINGS = {"low": 0, "medium": 1, "high": 2, "critical": 3}
_AT_HOME = 300.0  # seconds for one shard of rows
_ADVERSARIAL = ("integrity", "availability", "confidentiality", "privacy", "supply chain")


@cache
def catalogue() -> tuple[Threat, ...]:
    """Every threat Temper knows, in the order of the shipped files."""
    import yaml

    entries: list[dict[str, Any]] = []
    for path in sorted((Path(__file__).parent / "catalogue").glob("*.yaml")):
        entries += yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(_threat(entry) for entry in entries)


def scenarios(system: Protected) -> tuple[tuple[Scenario, ...], tuple[Excluded, ...]]:
    """The scenarios of this system, each with its because, and what was left out, each with its why not."""
    known = answers(system)
    kept: list[Scenario] = []
    left_out: list[Excluded] = []
    for threat in catalogue():
        found = [(actor, _misses(threat, known | _of(actor))) for actor in _actors(threat, system)]
        kept += [_scenario(threat, actor, system) for actor, misses in found if not misses]
        if all(misses for _, misses in found):
            _, misses = min(found, key=lambda pair: len(pair[1]))
            left_out.append(Excluded(threat=threat, why="; ".join(misses[:1])))
    return tuple(kept), tuple(left_out)


def _misses(threat: Threat, known: dict[str, str]) -> list[str]:
    """Which answers exclude the threat, in words."""
    return [
        f"{key} is {known.get(key, 'unknown')}, it takes {wanted.replace('|', ' or ')}"
        for key, wanted in threat.requires
        if known.get(key, "no") not in wanted.split("|")
    ]


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
        "exposure.retrained": _yes(exposure.retrained),
        "exposure.outside_data": _yes(exposure.outside_data),
        "exposure.personal_data": _yes(exposure.personal_data),
        "schema.movable": _yes(movable),
        "schema.columns": _yes(bool(schema.columns)),
        "schema.sensitive": _yes(any(column.sensitive for column in schema.columns)),
        "stress.relations": _yes(bool(system.options.get("validation.metamorphic"))),
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
    )


def _actors(threat: Threat, system: Protected) -> tuple[Actor, ...]:
    """Who can do it: everybody named for queries, those who write labels or training data for poisoning. A file comes
    from those who write to the model store or to what it depends on, and there is always somebody who does.
    """
    if threat.goal not in _ADVERSARIAL:
        return (NOBODY,)
    if threat.goal == "supply chain":
        return _writers(system.actors, *SUPPLIER.writes) or (SUPPLIER,)
    actors = system.actors or (Actor(name="outsider"),)
    return (_writers(actors, "labels", "training data") if threat.access is Access.RETRAIN else ()) or actors


def _writers(actors: Sequence[Actor], *assets: str) -> tuple[Actor, ...]:
    """Those who write to one of the assets."""
    return tuple(actor for actor in actors if set(assets) & set(actor.writes))


def _scenario(threat: Threat, actor: Actor, system: Protected) -> Scenario:
    because = ", ".join(f"{key} is {wanted}" for key, wanted in threat.requires) or "it applies to every model"
    if actor is NOBODY or threat.goal == "supply chain":  # who writes the file asks nothing of the model
        return Scenario(threat=threat, actor=actor, rating=_rating(threat, system), because=because)
    return Scenario(
        threat=threat,
        actor=actor,
        budget=_budget(threat, actor, system),
        rating=_rating(threat, system),
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


def _rating(threat: Threat, system: Protected) -> str:
    """A prior until something is measured: the system's criticality, one lower where nobody attacks."""
    level = _RATINGS.get(system.criticality, 1) - (threat.goal not in _ADVERSARIAL)
    return list(_RATINGS)[max(level, 0)]


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
