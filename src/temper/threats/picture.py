"""The picture of a system: who reaches it, what it is made of, what flows between, and where trust ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from temper.core.description import (
    DEPENDENCIES,
    INPUT,
    LABELS,
    MODEL,
    STORE,
    TRAINING,
    TRAINING_DATA,
    Description,
    Flow,
    Interface,
)
from temper.core.system import Protected
from temper.core.threat import Actor
from temper.core.threat_model import Element
from temper.threats.rules import OUTSIDER, SUPPLIER

OUTSIDE, SERVICE, MAKING = "outside", "service", "training"
SOURCE = "outside sources"
_TEACHING = (LABELS, TRAINING_DATA)


def drawn(system: Protected) -> tuple[tuple[Element, ...], tuple[Flow, ...]]:
    """Elements, each in its boundary, and flows: those that follow from the answers, then those written down."""
    interfaces = system.description.interfaces or (_usual(system),)
    actors = [*(system.actors or (OUTSIDER,))]
    if not any(set(actor.writes) & set(SUPPLIER.writes) or actor.name == SUPPLIER.name for actor in actors):
        actors.append(SUPPLIER)
    flows = merged(_inferred(system, actors, interfaces), system.description.flows)
    named = [
        *(Element(name=a.name, kind="actor", boundary=OUTSIDE, told=a.knowledge) for a in actors),
        *(Element(name=i.name, kind="interface", boundary=SERVICE, told=", ".join(i.returns)) for i in interfaces),
        Element(name=MODEL, kind="process", boundary=SERVICE, told=type(system.target).__name__.lower()),
        *_making(flows),
    ]
    return placed([*named, *_declared(system.description, named)], system.description), flows


def merged(inferred: Iterable[Flow], written: Sequence[Flow]) -> tuple[Flow, ...]:
    """Every flow once; what somebody wrote down stands for what would follow."""
    said = {(flow.source, flow.to, _kind(flow)) for flow in written}
    follow = (flow for flow in inferred if (flow.source, flow.to, _kind(flow)) not in said)
    return tuple(dict.fromkeys((*follow, *written)))


def placed(elements: Sequence[Element], description: Description) -> tuple[Element, ...]:
    """The elements with the boundaries that were written down; the others keep the usual ones."""
    where = {name: boundary.name for boundary in description.boundaries for name in boundary.holds}
    return tuple(
        Element(name=one.name, kind=one.kind, boundary=where.get(one.name, one.boundary), told=one.told)
        for one in elements
    )


def boundaries(elements: Sequence[Element]) -> tuple[str, ...]:
    """Boundaries in the order in which they are drawn: outside first."""
    found = dict.fromkeys(one.boundary for one in elements)
    return tuple(sorted(found, key=lambda name: name != OUTSIDE))


def travelled(
    family: dict[str, Sequence[str]], own: Sequence[str], elements: Sequence[Element], flows: Sequence[Flow]
) -> tuple[int, ...]:
    """The positions of the flows on which threats of a family come from these actors."""
    people = {one.name for one in elements if one.kind == "actor"}
    found = []
    for at, flow in enumerate(flows):
        ends = {flow.source, flow.to}
        theirs = bool(ends & {*own, SOURCE})
        if _kind(flow) in family.get("travels" if theirs else "inside", ()) and (theirs or not ends & people):
            found.append(at)
    return tuple(found)


def _kind(flow: Flow) -> str:
    """What threats know it by: whatever an interface returns is an answer."""
    return "answers" if flow.carries in ("label", "score", "explanation", "text") else flow.carries


def _usual(system: Protected) -> Interface:
    more = ("explanation",) if system.exposure.explains else ()
    return Interface(name="interface", returns=(system.exposure.returns, *more), public=system.exposure.public)


def _inferred(system: Protected, actors: Sequence[Actor], interfaces: Sequence[Interface]) -> Iterator[Flow]:
    for actor in actors:
        yield from _of(actor, interfaces)
    for interface in interfaces:
        yield Flow(source=interface.name, to=MODEL, carries="input")
        yield Flow(source=MODEL, to=interface.name, carries="answers", told=", ".join(interface.returns))
    taught = any(set(actor.writes) & set(_TEACHING) for actor in actors)
    if system.exposure.outside_data and not taught:
        yield Flow(source=SOURCE, to=TRAINING_DATA, carries="outside data")
    if system.train is not None or taught or system.exposure.outside_data:
        yield Flow(source=TRAINING_DATA, to=TRAINING, carries=TRAINING_DATA)
        yield Flow(source=TRAINING, to=STORE, carries="model file")
    yield Flow(source=STORE, to=MODEL, carries="model file")


def _of(actor: Actor, interfaces: Sequence[Interface]) -> Iterator[Flow]:
    """What goes from and to one actor."""
    asks = actor.queries > 0 and (INPUT in actor.writes or not actor.writes)
    for interface in interfaces if asks else ():
        if interface.public or INPUT in actor.writes:
            yield Flow(source=actor.name, to=interface.name, carries="input")
            yield Flow(source=interface.name, to=actor.name, carries="answers", told=", ".join(interface.returns))
    if actor.knowledge == "white-box" and STORE not in actor.writes:
        yield Flow(source=STORE, to=actor.name, carries="model file")
    for asset in _TEACHING:
        if asset in actor.writes:
            yield Flow(source=actor.name, to=TRAINING_DATA, carries=asset)
    if STORE in actor.writes:
        yield Flow(source=actor.name, to=STORE, carries="model file")
    if DEPENDENCIES in actor.writes:
        yield Flow(source=actor.name, to=MODEL, carries=DEPENDENCIES)


def _making(flows: Sequence[Flow]) -> Iterator[Element]:
    """What makes the model, as far as anything flows there."""
    ends = {name for flow in flows for name in (flow.source, flow.to)}
    if SOURCE in ends:
        yield Element(name=SOURCE, kind="source", boundary=OUTSIDE)
    for name, kind in ((TRAINING_DATA, "store"), (TRAINING, "process"), (STORE, "store")):
        if name in ends:
            yield Element(name=name, kind=kind, boundary=MAKING)


def _declared(description: Description, named: Sequence[Element]) -> Iterator[Element]:
    """Assets of one's own, and whatever else a written flow or boundary names."""
    known = {one.name for one in named}
    for asset in description.assets:
        if asset.name not in known:
            known.add(asset.name)
            yield Element(name=asset.name, kind="store", boundary=SERVICE, told="personal" * asset.personal)
    ends = [name for flow in description.flows for name in (flow.source, flow.to)]
    for name in dict.fromkeys([*ends, *(name for one in description.boundaries for name in one.holds)]):
        if name not in known:
            yield Element(name=name, kind="store", boundary=SERVICE)
