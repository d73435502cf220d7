"""The system around the model in temper.yaml; what contradicts itself is refused with line and fix.

assets: [{name: customer data, personal: true}]
interfaces: [{name: card API, returns: [score], public: true}]
boundaries: [{name: bank, holds: [card API, model, model store, training, training data]}]
flows: [{from: broker, to: training data, carries: labels}]
controls: [{name: query limit, on: card API}, {name: night desk, answers: [evasion], note: calls back above 1000 EUR}]
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from temper.config.document import Listing, Node, Scalar, Section
from temper.core.description import ASSETS, TRAINING, Asset, Boundary, Control, Description, Flow, Interface
from temper.core.system import Exposure
from temper.core.threat import Actor

ABOUT = ("name", "purpose", "harmed", "criticality", "simulated", "reviewed")
LEVELS = ("low", "medium", "high", "critical")
SECTIONS = ("assets", "interfaces", "boundaries", "flows", "controls")
RETURNS = ("label", "score", "explanation", "text")
"""What an interface can give back, the less telling first where one implies the other."""
SAID = ("system", "exposure", "actors", "schema", "sandbox", "assistant", *SECTIONS)
"""The sections whose change is a change of the description."""


def described(
    document: Section, actors: Sequence[Actor], exposure: Exposure, own: Sequence[str] = (*ASSETS, TRAINING)
) -> Description:
    """What was written; `own` are the elements that are there without being named."""
    assets = tuple(_asset(section, exposure, document) for section in document.sections("assets"))
    interfaces = tuple(_interface(section, exposure) for section in document.sections("interfaces"))
    _refuse_twice(document, "actors", "assets", "interfaces")
    _refuse_taken(document, own)
    elements = (*own, *(a.name for a in actors), *(a.name for a in assets), *(i.name for i in interfaces))
    _refuse_unknown_writes(document, (*own, *(asset.name for asset in assets)))
    return Description(
        assets=assets,
        interfaces=interfaces,
        boundaries=_boundaries(document, elements),
        flows=tuple(_flows(document, elements, actors, interfaces)),
        controls=tuple(_control(section, elements) for section in document.sections("controls")),
        answered=dict(_answered(document)),
        digest=description_digest(document),
        reviewed=str(document.section("system").day("reviewed")) if document.section("system").has("reviewed") else "",
    )


def exposed(document: Section, exposure: Exposure) -> Exposure:
    """The exposure with what interfaces say where nothing is written of it, held against them where something is."""
    section, interfaces = (
        document.section("exposure"),
        [_interface(s, exposure) for s in document.sections("interfaces")],
    )
    if not interfaces:
        return exposure
    open_ = [one for one in interfaces if one.public]
    if section.has("public") and exposure.public != bool(open_):
        said = "no interface is public, yet exposure.public is true" if exposure.public else _open_though(open_)
        raise section.error(said, "public", fix="change one of them; left out, exposure.public follows from interfaces")
    exposure = replace(exposure, public=bool(open_))
    told = {word for one in (open_ or interfaces) for word in one.returns}
    most = "score" if "score" in told else "label"
    if section.has("returns") and told and exposure.returns != most:
        raise section.error(
            f"exposure.returns is {exposure.returns}, yet the public interfaces return {', '.join(sorted(told))}",
            "returns",
            fix=f"write `returns: {most}`, or correct the interface; left out, it follows from interfaces",
        )
    exposure = replace(exposure, explains="explanation" in told)
    return replace(exposure, returns=most) if told else exposure


def _open_though(interfaces: Sequence[Interface]) -> str:
    return f"exposure.public is false, yet the interface {interfaces[0].name!r} is public"


def _asset(section: Section, exposure: Exposure, document: Section) -> Asset:
    section.only("name", "personal")
    asset = Asset(name=section.needed("name"), personal=section.flag("personal", False))
    if asset.personal and document.section("exposure").has("personal_data") and not exposure.personal_data:
        line = document.section("exposure").lines["personal_data"]
        raise section.error(
            f"the asset {asset.name!r} is personal, yet exposure.personal_data is false (line {line})",
            "personal",
            fix="write `personal_data: true` under exposure, or take `personal` from the asset",
        )
    return asset


def _interface(section: Section, exposure: Exposure) -> Interface:
    section.only("name", "returns", "public")
    name, public = section.needed("name"), section.flag("public", exposure.public)
    returns = _returns(section)
    if public and not returns:
        raise section.error(
            f"the public interface {name!r} does not say what it returns",
            "returns" if "returns" in section.lines else "name",
            fix=f"add `returns:` with some of {', '.join(RETURNS)}",
        )
    return Interface(name=name, returns=returns, public=public)


def _returns(section: Section) -> tuple[str, ...]:
    if not section.has("returns"):
        return ()
    one = isinstance(section.entries["returns"], Scalar)
    found = (section.text("returns"),) if one else section.texts("returns")
    for word in found:
        _refuse_unless(word, RETURNS, section, "returns", "an interface cannot return")
    return found


def _boundaries(document: Section, elements: Sequence[str]) -> tuple[Boundary, ...]:
    inside: dict[str, str] = {}
    found = []
    for section in document.sections("boundaries"):
        boundary = Boundary(name=section.only("name", "holds").needed("name"), holds=section.texts("holds"))
        for name in boundary.holds:
            _refuse_unless(name, elements, section, "holds", f"the boundary {boundary.name!r} holds")
            if name in inside:
                raise section.error(
                    f"{name!r} lies in {boundary.name!r} and in {inside[name]!r}", "holds", fix="leave it in one"
                )
            inside[name] = boundary.name
        found.append(boundary)
    _refuse_twice(document, "boundaries")
    return tuple(found)


def _flows(
    document: Section, elements: Sequence[str], actors: Sequence[Actor], interfaces: Sequence[Interface]
) -> Iterator[Flow]:
    known: set[Flow] = set()
    for section in document.sections("flows"):
        section.only("from", "to", "carries", "told")
        flow = Flow(
            source=section.needed("from"),
            to=section.needed("to"),
            carries=section.needed("carries"),
            told=section.text("told"),
            known=True,
        )
        for key, name in (("from", flow.source), ("to", flow.to)):
            _refuse_unless(name, elements, section, key, "a flow crosses to the unknown element")
        if flow.source == flow.to:
            raise section.error(f"a flow from {flow.source!r} to itself", "to", fix="name where it goes")
        if flow in known:
            raise section.error(
                f"the flow from {flow.source!r} to {flow.to!r} is written twice", "from", fix="drop one"
            )
        _refuse_unwritten(section, flow, {actor.name: actor for actor in actors})
        _refuse_untold(section, flow, {one.name: one for one in interfaces})
        known.add(flow)
        yield flow


def _refuse_unwritten(section: Section, flow: Flow, actors: Mapping[str, Actor]) -> None:
    """An actor from whom something flows into an asset writes that asset, or what flows."""
    actor = actors.get(flow.source)
    if actor is not None and flow.to in ASSETS and not {flow.to, flow.carries} & set(actor.writes):
        raise section.error(
            f"{actor.name!r} reaches {flow.to!r} by this flow, yet his `writes` does not name it",
            "from",
            fix=f"add {flow.to!r} to his `writes`, or take the flow away",
        )


def _refuse_untold(section: Section, flow: Flow, interfaces: Mapping[str, Interface]) -> None:
    """What leaves an interface is something that it returns."""
    interface = interfaces.get(flow.source)
    if interface is not None and flow.carries in RETURNS and flow.carries not in interface.returns:
        raise section.error(
            f"this flow carries a {flow.carries} from {interface.name!r}, which returns {', '.join(interface.returns)}",
            "carries",
            fix=f"add {flow.carries!r} to its `returns`, or correct the flow",
        )


def _control(section: Section, elements: Sequence[str]) -> Control:
    section.only("name", "on", "answers", "note")
    on = section.text("on")
    if on:
        _refuse_unless(on, elements, section, "on", "a control stands on the unknown element")
    return Control(
        name=section.needed("name"),
        on=on,
        answers=section.texts("answers"),
        note=section.text("note"),
        line=section.lines["name"],
    )


def _refuse_unknown_writes(document: Section, assets: Sequence[str]) -> None:
    for section in document.sections("actors"):
        for name in section.texts("writes"):
            _refuse_unless(name, assets, section, "writes", f"{section.text('name')!r} writes the unknown asset")


def _refuse_unless(word: str, known: Iterable[str], section: Section, key: str, said: str) -> None:
    names = list(dict.fromkeys(known))
    if word not in names:
        near = difflib.get_close_matches(word, names, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
        raise section.error(f"{said} {word!r}", key, fix=fix)


def _refuse_twice(document: Section, *keys: str) -> None:
    """Names must tell apart whatever scenarios and flows go by."""
    seen: dict[str, int] = {}
    for key in keys:
        for section in document.sections(key):
            name = section.needed("name")
            if name in seen:
                raise section.error(f"{name!r} is named twice, first on line {seen[name]}", "name", fix="rename one")
            seen[name] = section.lines["name"]


def _refuse_taken(document: Section, own: Sequence[str]) -> None:
    """An asset may be one that is always there, and says more of it; people and interfaces are something else."""
    for section in (*document.sections("actors"), *document.sections("interfaces")):
        if section.text("name") in own:
            raise section.error(f"{section.text('name')!r} is the name of something else", "name", fix="rename it")


def _answered(section: Section) -> Iterator[tuple[str, str]]:
    """(dotted path, text) of everything that says something; entries of a list go by their name, or their only key."""
    for key, node in section.entries.items():
        if section.has(key) and not (isinstance(node, Scalar) and not node.text):
            path = f"{section.path}.{key}" if section.path else key
            yield path, node.text if isinstance(node, Scalar) else ""
            yield from _inside(node, path)


def _inside(node: Node, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Section):
        yield from _answered(node)
    for item in node.items if isinstance(node, Listing) else ():
        if isinstance(item, Scalar) and not item.empty:
            yield f"{path}.{item.text}", ""
        elif isinstance(item, Section):
            name = item.entries.get("name")
            alone = next(iter(item.entries), "") if len(item.entries) == 1 else ""
            yield f"{path}.{name.text if isinstance(name, Scalar) else alone}", ""


def description_digest(document: Section) -> str:
    """SHA-256 of the sections that describe the system: another one says that the description has changed."""
    said: dict[str, Any] = {key: document.entries[key].plain() for key in SAID if document.has(key)}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
