"""Requirements from YAML or Python, each keeping the line it was written on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from temper.config.document import Listing, Node, Scalar, Section
from temper.config.metrics import checked
from temper.config.reading import parse, read
from temper.core.errors import ConfigError, TemperError
from temper.core.requirement import Policy, Requirement, Source, Waiver

TEMPLATES = (
    *("assistant-with-tools", "bank-tier-1", "bank-tier-2", "bank-tier-3"),
    *("eu-ai-act-15", "high-stakes-tabular", "image-safety"),
)
"""Policies made after texts of supervisors and law: to be copied and decided upon."""
SHIPPED = ("assistant", "default", "multiclass", "regression", *TEMPLATES)
"""Policies that come with Temper."""

_KEYS = ("id", "metric", "at_most", "at_least", "confidence", "slice", "reason", "severity", "waiver", "references")


def load_policy(spec: str | Path | Policy | Sequence[Mapping[str, Any]] | None = "default") -> Policy:
    """The policy a caller means: a shipped name, a path to a YAML file, a list of requirements, or one ready made.

    None is the default policy. Raises `ConfigError` naming file, line and requirement.

    >>> load_policy([{"id": "auc", "metric": "performance.auc", "at_least": 0.8}]).requirements[0].limit
    0.8
    """
    if isinstance(spec, Policy):
        return spec
    if spec is None or spec in SHIPPED:
        return _shipped(str(spec or "default"))
    if isinstance(spec, str | Path):
        return policy_of(read(Path(spec)), str(spec))
    return _of_list(Listing(tuple(_node(item, f"policy.{i}") for i, item in enumerate(spec)), 1), "inline", "")


def fitting(policy: Policy, classes: int) -> Policy:
    """The default policy is for two classes; other models get the shipped one of their kind in its place."""
    if policy.source != "default.yaml" or classes == 2:
        return policy
    return _shipped("multiclass" if classes > 2 else "regression")


def from_node(section: Section, key: str, base: Path, default: str = "default") -> Policy:
    """The policy written under `key`: a shipped name, a path relative to `base`, or an inline list; else `default`."""
    node = section.entries.get(key)
    if node is None or not section.has(key):
        return load_policy(default)
    if isinstance(node, Listing):
        return _of_list(node, "inline", section.source)
    if isinstance(node, Section):
        raise section.error("policy is a mapping, expected a name, a path or a list of requirements", key)
    if node.text in SHIPPED:
        return load_policy(node.text)
    if not (base / node.text).is_file():
        raise section.error(f"policy {node.text!r} is neither shipped ({', '.join(SHIPPED)}) nor a file", key)
    return load_policy(base / node.text)


def policy_of(document: Section, source: str) -> Policy:
    """The policy in a file: `name:` and `requirements:`."""
    document.only("name", "about", "approvals", "signatures", "sources", "requirements")
    found = _of_list(document.entries.get("requirements"), document.text("name", Path(source).stem), source)
    if (approvals := document.whole("approvals", 0)) < 0:
        raise document.error(f"approvals is {approvals}, expected how many people", "approvals")
    sources = tuple(map(_source, document.sections("sources")))
    _cited(document, found, {one.id for one in sources})
    signatures = document.flag("signatures", True)
    return replace(found, approvals=approvals, signatures=signatures, about=document.text("about"), sources=sources)


def template(name: str) -> str:
    """The text of a shipped policy, to be copied."""
    if name not in SHIPPED:
        near = get_close_matches(name, SHIPPED, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(SHIPPED)}"
        raise ConfigError(f"there is no policy {name!r}; {hint}", fix="`temper policy templates` lists them")
    return (resources.files("temper.config") / "policies" / f"{name}.yaml").read_text(encoding="utf-8")


def _source(section: Section) -> Source:
    section.only("id", "title", "date", "note")
    return Source(
        id=section.needed("id"), title=section.needed("title"), date=section.text("date"), note=section.text("note")
    )


def _cited(document: Section, policy: Policy, known: set[str]) -> None:
    """Where a policy names its texts, a requirement refers to one of them."""
    for requirement in policy.requirements if known else ():
        for reference in requirement.references:
            if (table := reference.partition(":")[0]) not in known:
                raise ConfigError(
                    f"{document.source}:{requirement.line}: {requirement.id!r} refers to {table!r}, which `sources:` "
                    f"does not name",
                    fix=f"name it there, or use one of {', '.join(sorted(known))}",
                )


def policy_at(config: Path) -> Policy:
    """The policy of this temper.yaml, without its model or data."""
    return from_node(read(config), "policy", config.absolute().parent)


def policy_text(config: Path) -> str:
    """The policy of a temper.yaml as it was written; of one that stands in it, as much of the temper.yaml."""
    document = read(config)
    name = "default" if not document.has("policy") else document.text("policy") if _named(document) else ""
    if name in SHIPPED:
        return template(name)
    return (config.absolute().parent / name if name else config).read_text(encoding="utf-8")


def _named(document: Section) -> bool:
    return isinstance(document.entries["policy"], Scalar)


def _shipped(name: str) -> Policy:
    return policy_of(parse(template(name), f"{name}.yaml"), f"{name}.yaml")


def _of_list(node: Node | None, name: str, source: str) -> Policy:
    if not isinstance(node, Listing) or not node.items:
        raise ConfigError(f"{source or name}: a policy needs a list of requirements", fix="add `requirements: [...]`")
    found: list[Requirement] = []
    for item in node.items:
        if not isinstance(item, Section):
            raise ConfigError(f"{source or name}:{item.line}: a requirement is a mapping like {{id: ..., metric: ...}}")
        requirement = _requirement(item)
        if requirement.id in (other.id for other in found):
            raise item.error(f"duplicated requirement {requirement.id!r}", "id", fix="give it another id")
        found.append(requirement)
    return Policy(name=name, requirements=tuple(found), source=source)


def _requirement(section: Section) -> Requirement:
    section.only(*_KEYS)
    try:
        made = Requirement(
            id=section.needed("id"),
            metric=section.needed("metric"),
            at_most=section.maybe("at_most"),
            at_least=section.maybe("at_least"),
            confidence=section.number("confidence", 0.95),
            slice=section.text("slice", "all"),
            reason=section.text("reason"),
            severity=section.text("severity", "high"),
            waiver=_waiver(section.section("waiver")) if section.has("waiver") else None,
            references=section.texts("references"),
            line=section.line,
        )
    except ConfigError:
        raise
    except TemperError as error:
        raise section.error(error.message, fix=error.fix) from error
    try:
        checked(made)
    except ConfigError as error:
        raise section.error(error.message, "metric", fix=error.fix) from error
    return made


def _waiver(section: Section) -> Waiver:
    section.only("by", "reason", "until")
    return Waiver(by=section.needed("by"), reason=section.needed("reason"), until=section.day("until"))


def _node(value: Any, path: str) -> Node:
    """A Python value as the tree that YAML would have given, so both are read by the same rules."""
    if isinstance(value, Mapping):
        entries = {str(key): _node(item, f"{path}.{key}") for key, item in value.items()}
        return Section("policy", path, 1, entries, dict.fromkeys(entries, 1))
    if isinstance(value, list | tuple):
        return Listing(tuple(_node(item, f"{path}.{i}") for i, item in enumerate(value)), 1)
    return Scalar("" if value is None else str(value), False, 1)
