"""temper.yaml to a system ready to be assessed; every mistake is answered with its line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from temper.config.build import build_system
from temper.config.description import ABOUT, LEVELS, SECTIONS, described, exposed
from temper.config.document import Section
from temper.config.documentation import documented
from temper.config.keeping import KEEPING
from temper.config.policy import from_node
from temper.config.reading import read
from temper.config.recurrences import recurrences_of
from temper.config.risk import stakes_of
from temper.config.rows import read_arrays
from temper.config.service import service_of
from temper.config.stress import costs, relations
from temper.config.table import header, read_table, require
from temper.core.description import Description
from temper.core.errors import ConfigError, TemperError
from temper.core.metamorphic import Metamorphic
from temper.core.schema import TYPES, Column, Mutability, Schema
from temper.core.system import Exposure, Protected
from temper.core.target import ScoreKind
from temper.core.text import TextSchema
from temper.core.threat import Actor
from temper.targets.signature import verify

Made = TypeVar("Made")

_SECTIONS = (
    *("system", "model", "data", "exposure", "actors", "schema", "policy", "assess", "guard", "stress", "service"),
    *("monitor", "risk", "documentation", "console", "campaign", *SECTIONS, *KEEPING),
)
_NORMS = ("linf", "l2", "l1", "l0", "cost")
_KNOWLEDGE = ("black-box", "grey-box", "white-box")
_COLUMN = (
    *("type", "low", "high", "categories", "attacker", "cost", "direction", "formula", "missing", "scale", "group"),
    "sensitive",
)


def load_system(
    path: str | Path, *, trust_pickle: bool = False, today: date | None = None, history: bool = False
) -> Protected:
    """The system described in this temper.yaml, with its model opened and its tables read.

    Paths in it are relative to its folder. A model with a `manifest` is held against it first; `today` decides whether
    the key is still valid, and without it a key that ends is refused. `history` reads the events behind the rows, which
    an assessment needs and a gateway does not. Raises `ConfigError` with file, line, what was expected and what came.
    """
    path = Path(path)
    document, base = read(path), path.absolute().parent
    told = _told(document, base)
    schema, stress = told["schema"], document.section("stress")
    told["options"] |= _asked_again(document.section("assess"), base, schema)
    system = build_system(
        **_model(document.section("model"), base, trust_pickle, today),
        **_data(document.section("data"), base, schema, document.section("schema").text("text")),
        **told,
        source=str(path),
        lines=dict(document.every_line()),
    )
    if not (history and stress.has("events")):
        return system
    from temper.config.events import read_events

    return replace(system, events=read_events(stress.section("events"), document.section("data"), base, system))


def described_in(path: Path) -> Description:
    """Hold a temper.yaml against the rules without its model and its tables, which need not be there; what it says of
    the system around the model. Raises `ConfigError` like `load_system`.
    """
    document = read(path)
    _way(document.section("model"))
    document.section("data").only(*_TABLES).needed("test")
    found: Description = _told(document, path.absolute().parent)["description"]
    return found


def _told(document: Section, base: Path) -> dict[str, Any]:
    """Everything it says but for the model and the tables."""
    about = document.only(*_SECTIONS).section("system").only(*ABOUT)
    schema = _schema(document.section("schema"))
    assess = document.section("assess").only("options", "plugins", "recurrences")
    stress = document.section("stress").only("cost", "events", "relations")
    declared = relations(stress.sections("relations"), schema)
    exposure = exposed(document, _exposure(document.section("exposure")))
    actors = tuple(_actor(section) for section in document.sections("actors"))
    return {
        "schema": schema,
        "policy": from_node(document, "policy", base),
        "name": about.text("name", base.name),
        "purpose": about.text("purpose"),
        "harmed": about.text("harmed"),
        "criticality": about.word("criticality", LEVELS, "medium"),
        "simulated": about.flag("simulated", False),
        "exposure": exposure,
        "actors": actors,
        "description": described(document, actors, exposure),
        "options": _options(assess.section("options"), document.section("model"), base, declared)
        | documented(document),
        "cost": costs(stress.section("cost"), schema),
        "plugins": assess.texts("plugins"),
        "service": service_of(document, base),
        "stakes": stakes_of(document),
    }


_SIGNED = ("manifest", "public_key")
_TABLES = ("test", "train", "accepted", "target", "positive", "drop", "id", "supplier", "time", "history")
_HTTP = ("headers", "timeout", "batch", "retries", "max_requests")


def _way(section: Section) -> str:
    """How the model is named: path, callable or url."""
    ways = ("path", "callable", "url")
    known = ("kind", "classes", "threshold", "tolerance", "stochastic", "version", "authorised_by", "trust_pickle")
    section.only(*ways, *known, *_SIGNED, *_HTTP)
    given = [way for way in ways if section.has(way)]
    if len(given) != 1:
        raise section.error(f"model names {len(given)} of path, callable and url, expected one", fix="add `path:`")
    if given[0] == "url" and not section.text("authorised_by"):
        raise section.error("a remote model needs `authorised_by`", "url", fix="say who allowed the attacks, and when")
    return given[0]


def _model(section: Section, base: Path, trust_pickle: bool, today: date | None) -> dict[str, Any]:
    way = _way(section)
    model = section.text(way)
    if way == "path" and not (base / model).exists():
        raise section.error(f"the model {model!r} does not exist", way, fix="paths are relative to the temper.yaml")
    _verified(section, base, base / model, today)
    return {
        "model": str(base / model) if way == "path" else _callable(model, base) if way == "callable" else model,
        "kind": section.word("kind", [kind.value for kind in ScoreKind], "") if section.has("kind") else None,
        "classes": section.whole("classes", 0) or None,
        "threshold": section.maybe("threshold"),
        "tolerance": section.maybe("tolerance"),
        "stochastic": section.flag("stochastic", False),
        "version": section.text("version"),
        "authorised_by": section.text("authorised_by"),
        "trust_pickle": trust_pickle or section.flag("trust_pickle", False),
        "http": _http(section, way),
    }


def _verified(section: Section, base: Path, model: Path, today: date | None) -> None:
    """A model that names a manifest is what was signed, to the byte, or it is not opened."""
    given = [key for key in _SIGNED if section.has(key)]
    if not given:
        return
    if len(given) < 2 or not section.has("path"):
        raise section.error("a signed model needs path, manifest and public_key", given[0], fix="add what is missing")
    manifest = base / section.text("manifest")
    found = _located(
        section, "manifest", lambda: verify(manifest, base / section.text("public_key"), today or date.max)
    )
    if model.resolve() not in {(manifest.parent / name).resolve() for name in found.files}:
        raise section.error(f"{manifest.name} does not speak of {model.name}", "manifest", fix="sign the model's file")


def _http(section: Section, way: str) -> dict[str, Any]:
    """Settings of a URL; a header names the environment variable that holds its value, so no secret is in the file."""
    given = [key for key in _HTTP if section.has(key)]
    if given and way != "url":
        raise section.error(f"{given[0]} is for a model behind a url", given[0], fix="remove it")
    settings: dict[str, Any] = {key: section.whole(key, 0) for key in given if key not in ("headers", "timeout")}
    if section.has("timeout"):
        settings["timeout"] = section.maybe("timeout")
    if section.has("headers"):
        settings["headers"] = section.section("headers").plain()
    return settings


def _callable(name: str, base: Path) -> str:
    """The reference as it can be opened from anywhere: "file.py:name" made absolute, "pkg.mod:name" findable."""
    module, _, function = name.rpartition(":")
    if module.endswith(".py"):
        return f"{base / module}:{function}"
    if str(base) not in sys.path:
        # Last, so that a file beside the temper.yaml never hides an installed package.
        sys.path.append(str(base))
    return name


def _data(section: Section, base: Path, schema: Schema | None, message: str) -> dict[str, Any]:
    """The tables; of texts the column `message` alone."""
    section.only(*_TABLES).needed("test")
    drop, named = section.texts("drop"), [section.text(key) for key in ("target", "id") if section.has(key)]
    found: dict[str, Any] = {key: section.text(key) for key in ("positive", "supplier", "time")}
    for key, part in (("test", "data"), ("train", "train"), ("accepted", "accepted")):
        file = base / section.text(key)
        if not section.has(key):
            continue
        if file.suffix.lower() == ".npz":
            found[part] = _located(section, key, partial(read_arrays, file))
        else:
            section.needed("target")
            found |= {"target": section.text("target"), "id": section.text("id")}
            optional = {name: word for name, word in ((found["supplier"], True), (found["time"], False)) if name}
            found[part] = _located(section, key, partial(_table, file, schema, named, drop, optional, message))
    return found


def _table(
    file: Path,
    schema: Schema | None,
    named: list[str],
    drop: tuple[str, ...],
    optional: dict[str, bool],
    message: str,
) -> Any:
    """Only the columns that are needed; a column nobody spoke of is refused, because the model might want it.

    `optional` columns need not be there; true for those that are words.
    """
    names = header(file)
    told = [name for name in optional if name in names]
    named = [*named, *told]
    for name in (*named, *drop, *([message] if message else [])):
        require(name, names, file.name)
    wanted = [name for name in names if name not in drop]
    if schema is not None and schema.columns:
        unknown = [name for name in wanted if name not in {*schema.names, *named}]
        if unknown:
            raise ConfigError(
                f"{file.name} has columns the schema does not know: {', '.join(unknown[:8])}",
                fix="describe them in schema.columns, or list them in data.drop",
            )
        wanted = [*schema.names, *named]
    words = [name for name in told if optional[name]]
    if message:
        return read_table(file, [message, *named], [message, *words])
    text = [*words, *(column.name for column in (schema.columns if schema else ()) if column.type == "category")]
    return read_table(file, list(dict.fromkeys(wanted)), text)


def _located(section: Section, key: str, make: Callable[[], Made]) -> Made:
    """What `make` gives; its complaint gets the file and the line of `key`."""
    try:
        return make()
    except TemperError as error:
        raise section.error(error.message, key, error.fix) from error


def _exposure(section: Section) -> Exposure:
    flags = ("public", "retrained", "outside_data", "personal_data")
    section.only("returns", "decision", *flags)
    usual = Exposure()
    return Exposure(
        returns=section.word("returns", ("label", "score"), usual.returns),
        decision=section.text("decision"),
        **{flag: section.flag(flag, getattr(usual, flag)) for flag in flags},
    )


def _actor(section: Section) -> Actor:
    section.only("name", "knowledge", "queries", "cost", "norm", "radius", "writes")
    usual = Actor(name=section.needed("name"))
    return Actor(
        name=usual.name,
        knowledge=section.word("knowledge", _KNOWLEDGE, usual.knowledge),
        queries=section.whole("queries", usual.queries),
        cost=section.maybe("cost"),
        norm=section.word("norm", _NORMS, usual.norm),
        radius=section.maybe("radius"),
        writes=section.texts("writes"),
    )


def _options(
    section: Section, model: Section, base: Path, declared: tuple[Metamorphic, ...]
) -> dict[str, dict[str, Any]]:
    """Options by plugin; the check of artifacts is told where the model's file is, and that of relations which."""
    found = {plugin: section.section(plugin).plain() for plugin in section.entries}
    if model.has("path"):
        found["validation.artifact"] = {"file": str(base / model.text("path"))} | found.get("validation.artifact", {})
    if declared:
        found["validation.metamorphic"] = found.get("validation.metamorphic", {}) | {"relations": declared}
    return found


def _asked_again(assess: Section, base: Path, schema: Schema | None) -> dict[str, dict[str, Any]]:
    """The options of the check that asks rows of past incidents again; none where there are none."""
    found = recurrences_of(assess, base, schema)
    return {"validation.recurrence": {"cases": found}} if found else {}


def _schema(section: Section) -> Schema | None:
    section.only("columns", "relations", "box", "text")
    if section.has("text"):
        if section.has("columns") or section.has("box") or section.has("relations"):
            raise section.error("schema.text stands alone", "text", fix="remove what describes numbers")
        return TextSchema()
    if section.has("box"):
        box = section.numbers("box")
        if len(box) != 2 or not box[0] < box[1] or section.has("columns"):
            raise section.error("schema.box must be [low, high], without columns", "box", fix="write `box: [0, 1]`")
        return Schema.box(*box)
    columns = section.section("columns")
    if not columns.entries:
        return None
    made = tuple(_column(columns, name) for name in columns.entries)
    for relation in section.texts("relations"):
        _located(section, "relations", partial(Schema, columns=made, relations=(relation,)))
    return _located(section, "columns", lambda: Schema(columns=made, relations=section.texts("relations")))


def _column(columns: Section, name: str) -> Column:
    section = columns.section(name).only(*_COLUMN)
    usual = Column(name=name)
    attacker = section.word("attacker", [each.value for each in Mutability], usual.attacker.value)
    kind = section.word("type", TYPES, usual.type)
    if kind == "category" and not section.texts("categories"):
        raise section.error(f"the category {name!r} lists no categories", fix="add `categories: [...]`")
    return _located(
        columns,
        name,
        lambda: Column(
            name=name,
            type=kind,
            low=section.number("low", usual.low),
            high=section.number("high", usual.high),
            categories=section.texts("categories"),
            attacker=Mutability(attacker),
            cost=section.number("cost", usual.cost),
            direction=section.word("direction", ("", "rise", "fall"), usual.direction),
            formula=section.text("formula"),
            missing=section.flag("missing", usual.missing),
            scale=section.number("scale", usual.scale),
            group=section.text("group"),
            sensitive=section.flag("sensitive", usual.sensitive),
        ),
    )
